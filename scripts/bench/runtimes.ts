/**
 * Starts the measuring process: on Deno from the sources, on Node from one
 * file that `deno bundle` makes of the very same sources.
 *
 * @module
 */

import type { StdSource } from "../std.ts";
import type { Figures, Settings } from "./settings.ts";

/** Where a measuring process runs. */
export type Runtime = "node" | "deno";

const MEASURE = new URL("measure.ts", import.meta.url).pathname;

/**
 * Measures on a runtime.
 *
 * @param nodeArgs Further arguments of `node`, such as `--cpu-prof`.
 * @throws {Error} If the process fails; what it printed has been shown.
 */
export async function measureOn(
  runtime: Runtime,
  settings: Settings,
  std: StdSource,
  nodeArgs: readonly string[] = [],
): Promise<Figures> {
  const argument = JSON.stringify(settings);
  if (runtime === "deno") {
    return await figuresOf(Deno.execPath(), [
      "run",
      "-A",
      ...std.args,
      MEASURE,
      argument,
    ]);
  }
  const dir = await Deno.makeTempDir({ prefix: "mcp-tasks-redis-bench-" });
  try {
    const file = `${dir}/measure.mjs`;
    const args = ["bundle", "--quiet", "--platform", "deno"];
    await run(Deno.execPath(), [...args, ...std.args, "-o", file, MEASURE]);
    return await figuresOf("node", [...nodeArgs, file, argument]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function figuresOf(program: string, args: string[]): Promise<Figures> {
  const printed = await run(program, args);
  return JSON.parse(printed.trim().split("\n").at(-1)!);
}

/** What a program prints; it must succeed. */
async function run(program: string, args: string[]): Promise<string> {
  const { success, code, stdout } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).output();
  const printed = new TextDecoder().decode(stdout);
  if (!success) {
    throw new Error(`${program} ended with code ${code}:\n${printed}`);
  }
  return printed;
}
