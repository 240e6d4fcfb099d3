/**
 * `deno task ok`: the gate, everything that must hold before a commit. It
 * stops at the first step that fails, with that step's output.
 *
 * `--no-tests` leaves the tests out, for who runs them anyway (`.ci/run`).
 *
 * @module
 */

import { findFiles } from "./lib/files.ts";
import { findStd, type StdSource } from "./std.ts";

/** A step: its name, and the arguments of `deno`. */
interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** Show the output while it runs, not only when it fails. */
  readonly live?: boolean;
}

/** The one module that only JSR can complete. */
const NEEDS_JSR = "scripts/build_npm.ts";

async function steps(std: StdSource, withTests: boolean): Promise<Step[]> {
  const modules = (await findFiles(".", [".ts"]))
    .filter((path) => std.registry === "jsr" || path !== NEEDS_JSR);
  return [
    { name: "format", args: ["fmt", "--check"] },
    { name: "lint", args: ["lint"] },
    { name: "house rules", args: ["task", "lint"] },
    { name: "types", args: ["check", ...std.args, ...modules] },
    {
      name: "types of the examples",
      args: ["check", "--doc-only", ...std.args, "README.md", "mod.ts", "src"],
    },
    { name: "documentation", args: ["doc", "--lint", "mod.ts"] },
    { name: "publishable", args: ["publish", "--dry-run", "--allow-dirty"] },
    { name: "tests without permissions", args: ["test", ...std.args] },
    { name: "demo", args: ["task", "demo"] },
    { name: "conformance", args: ["task", "conformance"] },
    { name: "faults", args: ["task", "faults"] },
    { name: "bench", args: ["task", "bench", "--short"] },
    ...(withTests
      ? [{ name: "tests", args: ["task", "test"], live: true }]
      : []),
  ];
}

async function run(step: Step, env: Record<string, string>): Promise<boolean> {
  const startMs = performance.now();
  if (step.live) console.log(`     ${step.name} …`);
  const output = step.live ? "inherit" : "piped";
  const child = new Deno.Command(Deno.execPath(), {
    args: [...step.args],
    env,
    stdin: "null",
    stdout: output,
    stderr: output,
  });
  const { success, ...printed } = await child.output();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${success ? "ok  " : "FAIL"} ${step.name} (${seconds} s)`);
  if (!success && !step.live) {
    const decoder = new TextDecoder();
    console.log(decoder.decode(printed.stdout), decoder.decode(printed.stderr));
  }
  return success;
}

if (import.meta.main) {
  const std = await findStd();
  if (std.registry === "npm") {
    console.log(`     ${NEEDS_JSR} is not type-checked: dnt is on JSR only`);
  }
  for (const step of await steps(std, !Deno.args.includes("--no-tests"))) {
    if (!await run(step, { ...std.env })) Deno.exit(1);
  }
}
