/**
 * Runs `deno test` and counts: the tests, and the examples in JSDoc and
 * README. `scripts/test.ts` calls it.
 *
 * @module
 */

import type { Counts } from "./counts.ts";
import { readReadme } from "./readme.ts";
import type { StdSource } from "../std.ts";

/** What README promises to be enough for every test against a given Redis. */
const PROMISED_PERMISSIONS = ["--allow-net", "--allow-env"];

/** What a test needs besides, if it starts servers of its own. */
const SERVER_PERMISSIONS = ["--allow-run", "--allow-read", "--allow-write"];

/** A run that takes longer hangs: it is ended, and has failed. */
const TIMEOUT_MS = 10 * 60_000;

/** Which tests to run. */
export interface TestSelection {
  /** Files and folders; none: all of `tests/`. */
  readonly files: readonly string[];
  /** A part of the name, or a `/regular expression/`. Default: every name. */
  readonly filter?: string;
}

/**
 * Runs tests, first with the promised permissions and nothing else. What had
 * to be ignored for want of a server of its own, and only that, runs a second
 * time with the permission to start one.
 *
 * @param std Where `@std/*` comes from.
 * @param env `REDIS_TESTS` and `REDIS_URL`.
 * @param selection Which of them.
 */
export async function runTests(
  std: StdSource,
  env: Record<string, string>,
  { files, filter }: TestSelection,
): Promise<Counts> {
  const first = await denoTest([
    ...PROMISED_PERMISSIONS,
    ...std.args,
    ...(filter === undefined ? [] : ["--filter", filter]),
    ...files,
  ], env);
  // The report calls what the filter left out skipped, too.
  const ignored = first.counts.ignored.filter((name) => passes(filter, name));
  if (ignored.length === 0) return { ...first.counts, ignored };
  const second = await denoTest([
    ...PROMISED_PERMISSIONS,
    ...SERVER_PERMISSIONS,
    ...std.args,
    "--filter",
    `/^(${ignored.map(escapeRegExp).join("|")})$/`,
    ...files,
  ], env);
  return {
    passed: first.counts.passed + second.counts.passed,
    failed: first.counts.failed + second.counts.failed,
    // Only what the second report says was run has been run.
    ignored: ignored.filter((name) => !second.ran.has(name)),
  };
}

/**
 * Runs every example of the public modules and of README.
 *
 * @param std Where `@std/*` comes from.
 * @param env `REDIS_TESTS` and `REDIS_URL`.
 */
export async function runExamples(
  std: StdSource,
  env: Record<string, string>,
): Promise<Counts> {
  const dir = await Deno.makeTempDir({ prefix: "mcp-tasks-redis-" });
  try {
    const readme = `${dir}/README.md`;
    await Deno.writeTextFile(readme, await readReadme(env.REDIS_URL ?? ""));
    const args = ["--doc", ...PROMISED_PERMISSIONS, ...std.args];
    const run = await denoTest([...args, "mod.ts", "src", readme], env);
    return run.counts;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Whether a filter takes a test, as `deno test --filter` decides it. */
function passes(filter: string | undefined, name: string): boolean {
  if (filter === undefined) return true;
  const pattern = /^\/(.*)\/$/.exec(filter)?.[1];
  return pattern === undefined
    ? name.includes(filter)
    : new RegExp(pattern).test(name);
}

async function denoTest(
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ counts: Counts; ran: ReadonlySet<string> }> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["test", "--junit-path", report, ...args],
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).spawn();
    const [shown, forUs] = child.stdout.tee();
    const [text, { success, code }] = await Promise.all([
      new Response(forUs).text(),
      child.status,
      shown.pipeTo(Deno.stdout.writable, { preventClose: true }),
    ]);
    if (!success) console.log(`deno test ended with code ${code}`);
    const { ran, ignored } = readReport(await Deno.readTextFile(report));
    const { passed, failed } = readSummary(text);
    return {
      counts: {
        passed,
        // A module that does not type-check fails without being counted.
        failed: success ? failed : Math.max(failed, 1),
        ignored,
      },
      ran,
    };
  } finally {
    await Deno.remove(report);
  }
}

/** Reads `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)`. */
function readSummary(output: string): { passed: number; failed: number } {
  const last = [...output.matchAll(/\| (\d+) passed.* \| (\d+) failed/g)].at(
    -1,
  );
  return { passed: Number(last?.[1] ?? 0), failed: Number(last?.[2] ?? 0) };
}

/** Reads out of deno's JUnit report which tests ran and which were ignored. */
function readReport(
  xml: string,
): { ran: Set<string>; ignored: readonly string[] } {
  const ran = new Set<string>();
  const ignored: string[] = [];
  const cases = /<testcase name="([^"]*)"[^>]*?(?:\/>|>([^]*?)<\/testcase>)/g;
  for (const [, name = "", body = ""] of xml.matchAll(cases)) {
    if (body.includes("<skipped")) ignored.push(unescapeXml(name));
    else ran.add(unescapeXml(name));
  }
  return { ran, ignored };
}

function unescapeXml(text: string): string {
  const characters: Record<string, string> = {
    lt: "<",
    gt: ">",
    quot: '"',
    apos: "'",
    amp: "&",
  };
  return text
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replace(/&(\w+);/g, (entity, name) => characters[name] ?? entity);
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
