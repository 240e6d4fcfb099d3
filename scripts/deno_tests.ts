/**
 * Runs `deno test` and counts: the tests, and the examples in JSDoc and
 * README. `scripts/test.ts` calls it.
 *
 * @module
 */

import type { Counts } from "./counts.ts";
import { readReadme } from "./readme.ts";
import type { StdSource } from "./std.ts";

/** What README promises to be enough for every test against a given Redis. */
const PROMISED_PERMISSIONS = ["--allow-net", "--allow-env"];

/** What a test needs besides, if it starts servers of its own. */
const SERVER_PERMISSIONS = ["--allow-run", "--allow-read", "--allow-write"];

/** A run that takes longer hangs: it is ended, and has failed. */
const TIMEOUT_MS = 10 * 60_000;

/**
 * Runs all of `tests/`, first with the promised permissions and nothing else.
 * What had to be ignored for want of a server of its own, and only that, runs
 * a second time with the permission to start one.
 *
 * @param std Where `@std/*` comes from.
 * @param env `REDIS_TESTS` and `REDIS_URL`.
 */
export async function runTests(
  std: StdSource,
  env: Record<string, string>,
): Promise<Counts> {
  const first = await denoTest([...PROMISED_PERMISSIONS, ...std.args], env);
  if (first.ignored.length === 0) return first.counts;
  const names = first.ignored.map(({ name }) => name);
  const second = await denoTest([
    ...PROMISED_PERMISSIONS,
    ...SERVER_PERMISSIONS,
    ...std.args,
    "--filter",
    `/^(${names.map(escapeRegExp).join("|")})$/`,
    ...new Set(first.ignored.map(({ file }) => file)),
  ], env);
  return {
    passed: first.counts.passed + second.counts.passed,
    failed: first.counts.failed + second.counts.failed,
    // The report also names what the filter left out.
    ignored: second.counts.ignored.filter((name) => names.includes(name)),
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

interface IgnoredTest {
  readonly file: string;
  readonly name: string;
}

async function denoTest(
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ counts: Counts; ignored: readonly IgnoredTest[] }> {
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
    const ignored = readIgnored(await Deno.readTextFile(report));
    const { passed, failed } = readSummary(text);
    return {
      counts: {
        passed,
        // A module that does not type-check fails without being counted.
        failed: success ? failed : Math.max(failed, 1),
        ignored: ignored.map(({ name }) => name),
      },
      ignored,
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

/** Reads out of deno's JUnit report which tests were ignored. */
function readIgnored(xml: string): IgnoredTest[] {
  const skipped =
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]*>\s*<skipped/g;
  return [...xml.matchAll(skipped)].map(([, name = "", file = ""]) => ({
    file: unescapeXml(file),
    name: unescapeXml(name),
  }));
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
