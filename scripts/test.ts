/**
 * `deno task test`: every test there is, on a real Redis: the one at
 * `REDIS_URL`, or a private one for this run. The last line is the count.
 *
 * `--only tests`, `--only examples` or `--only npm` runs a part of it.
 *
 * @module
 */

import { add, type Counts } from "./lib/counts.ts";
import { runExamples, runTests } from "./lib/deno_tests.ts";
import { runNpmTests } from "./lib/npm_tests.ts";
import { startRedisServer } from "./lib/redis_server.ts";
import { findStd } from "./std.ts";

const PARTS = ["tests", "examples", "npm"] as const;
type Part = typeof PARTS[number];

/** Runs the parts, prints the count and says whether all is well. */
async function main(parts: readonly Part[]): Promise<boolean> {
  const std = await findStd();
  const given = Deno.env.get("REDIS_URL");
  await using server = given ? undefined : await startRedisServer();
  console.error(
    server
      ? `Redis: a private one at ${server.url}`
      : "Redis: the one at REDIS_URL",
  );
  const env = {
    ...std.env,
    REDIS_TESTS: "1",
    REDIS_URL: given || server!.url,
  };
  const run: Record<Part, () => Promise<Counts>> = {
    tests: () => runTests(std, env),
    examples: () => runExamples(std, env),
    npm: () => runNpmTests(env),
  };

  let total: Counts = { passed: 0, failed: 0, ignored: [] };
  for (const part of parts) {
    console.log(`\n# ${part}`);
    total = add(total, await run[part]().catch(asFailure));
  }

  console.log();
  for (const name of total.ignored) console.log(`did not run: ${name}`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 && total.ignored.length === 0;
}

/** What fails instead of a test counts as one. */
function asFailure(error: unknown): Counts {
  console.error(error);
  return { passed: 0, failed: 1, ignored: [] };
}

function readParts(args: readonly string[]): readonly Part[] {
  if (args.length === 0) return PARTS;
  const [flag, value, ...rest] = args;
  const part = PARTS.find((part) => part === value);
  if (flag !== "--only" || !part || rest.length > 0) {
    console.error(`usage: deno task test [--only ${PARTS.join("|")}]`);
    Deno.exit(2);
  }
  return [part];
}

if (import.meta.main) {
  // Exiting by ourselves lets the private server be ended on the way out.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => Deno.exit(1));
  }
  const parts = readParts(Deno.args);
  try {
    Deno.exitCode = await main(parts) ? 0 : 1;
  } catch (error) {
    console.error(error);
    console.log("0 passed, 1 failed");
    Deno.exitCode = 1;
  }
  Deno.exit();
}
