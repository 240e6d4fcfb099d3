/**
 * `deno task test`: every test there is, on a real Redis: the one at
 * `REDIS_URL`, or a private one for this run. The last line is the count.
 *
 * - `deno task test FILE…` runs only those files and folders of `tests/`.
 * - `--filter TEXT` runs only tests whose name contains the text, or matches
 *   it where it is a `/regular expression/`.
 * - `--only tests`, `--only examples` or `--only npm` runs a part of it.
 * - `--server PATH`, any number of times, runs the storage tests, or the files
 *   named, on a private server of each of these programs instead.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { add, type Counts, NOTHING } from "./lib/counts.ts";
import { runExamples, runTests, type TestSelection } from "./lib/deno_tests.ts";
import { runNpmTests } from "./lib/npm_tests.ts";
import { PROGRAM_ENV, startRedisServer } from "./lib/redis_server.ts";
import { findStd, type StdSource } from "./std.ts";

const USAGE = `usage: deno task test [FILE…] [--filter TEXT]
       deno task test --only tests|examples|npm
       deno task test --server PATH… [FILE…] [--filter TEXT]`;

const PARTS = ["tests", "examples", "npm"] as const;
type Part = typeof PARTS[number];

/** What `--server` runs where no files are named: what a server decides. */
const STORAGE_TESTS = ["tests/memory", "tests/redis", "tests/storage"];

/** What the command line asks for. */
interface Request {
  readonly parts: readonly Part[];
  readonly selection: TestSelection;
  /** Server programs; none: the Redis at `REDIS_URL` or a private one. */
  readonly servers: readonly string[];
}

/** Runs what was asked for, prints the count and says whether all is well. */
async function main({ parts, selection, servers }: Request): Promise<boolean> {
  const std = await findStd();
  let total = NOTHING;
  if (servers.length === 0) {
    const given = Deno.env.get("REDIS_URL");
    await using server = given ? undefined : await startRedisServer();
    console.error(
      server
        ? `Redis: a private one at ${server.url}`
        : "Redis: the one at REDIS_URL",
    );
    const env = testEnv(std, given || server!.url);
    for (const part of parts) {
      console.log(`\n# ${part}`);
      total = add(total, await runPart(part, std, env, selection));
    }
  }
  for (const program of servers) {
    total = add(total, await runOn(program, std, selection).catch(asFailure));
  }

  console.log();
  for (const name of total.ignored) console.log(`did not run: ${name}`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 && total.ignored.length === 0;
}

function runPart(
  part: Part,
  std: StdSource,
  env: Record<string, string>,
  selection: TestSelection,
): Promise<Counts> {
  const run: Record<Part, () => Promise<Counts>> = {
    tests: () => runTests(std, env, selection),
    examples: () => runExamples(std, env),
    npm: () => runNpmTests(env),
  };
  return run[part]().catch(asFailure);
}

/** Runs the storage tests on one server program, a line of their own each. */
async function runOn(
  program: string,
  std: StdSource,
  selection: TestSelection,
): Promise<Counts> {
  await using server = await startRedisServer({ program });
  console.log(`\n# ${program} (${server.version})`);
  const files = selection.files.length > 0 ? selection.files : STORAGE_TESTS;
  // The tests that start servers of their own start this program, too.
  const env = { ...testEnv(std, server.url), [PROGRAM_ENV]: program };
  const counts = await runTests(std, env, { ...selection, files });
  console.log(
    `${program}: ${counts.passed} of ${counts.passed + counts.failed} passed`,
  );
  return {
    ...counts,
    ignored: counts.ignored.map((name) => `${name} (${program})`),
  };
}

function testEnv(std: StdSource, redisUrl: string): Record<string, string> {
  return { ...std.env, REDIS_TESTS: "1", REDIS_URL: redisUrl };
}

/** What fails instead of a test counts as one. */
function asFailure(error: unknown): Counts {
  console.error(error);
  return { ...NOTHING, failed: 1 };
}

/** @throws {TypeError} If the arguments make no sense, with the reason. */
function readRequest(args: readonly string[]): Request {
  const { values, positionals: files } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      filter: { type: "string" },
      only: { type: "string" },
      server: { type: "string", multiple: true },
    },
  });
  const { filter, only, server = [] } = values;
  const servers = server.map(absolute);
  for (const file of files) requireTests(file);
  const selection = filter === undefined ? { files } : { files, filter };
  const narrowed = files.length > 0 || filter !== undefined ||
    servers.length > 0;
  if (only === undefined) {
    return { parts: narrowed ? ["tests"] : PARTS, selection, servers };
  }
  const part = PARTS.find((part) => part === only);
  if (!part) {
    throw new TypeError(`--only is "${only}": expected ${PARTS.join(", ")}`);
  }
  if (narrowed && part !== "tests") {
    throw new TypeError(`--only ${part} takes no files, filter or servers`);
  }
  return { parts: [part], selection, servers };
}

/** A server is started in a folder of its own, where a path leads elsewhere. */
function absolute(program: string): string {
  const isRelative = program.includes("/") && !program.startsWith("/");
  return isRelative ? `${Deno.cwd()}/${program}` : program;
}

/** A path that deno does not find would run every test there is. */
function requireTests(path: string): void {
  try {
    Deno.statSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new TypeError(`"${path}" does not exist: expected a path of tests/`);
  }
}

if (import.meta.main) {
  // Exiting by ourselves lets the private server be ended on the way out.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => Deno.exit(1));
  }
  let request: Request;
  try {
    request = readRequest(Deno.args);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n${USAGE}`);
    Deno.exit(2);
  }
  try {
    Deno.exitCode = await main(request) ? 0 : 1;
  } catch (error) {
    console.error(error);
    console.log("0 passed, 1 failed");
    Deno.exitCode = 1;
  }
  Deno.exit();
}
