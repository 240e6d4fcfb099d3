/**
 * Tests the package as a Node user gets it: packs it, installs the tarball
 * into an empty folder next to the consumer in `tests/npm/`, and runs that
 * consumer's tests on Node. `scripts/test.ts` calls it.
 *
 * @module
 */

import type { Counts } from "./counts.ts";
import { readReadme } from "./readme.ts";

const ROOT = new URL("../..", import.meta.url);
/** A run that takes longer hangs: it is ended, and has failed. */
const TIMEOUT_MS = 5 * 60_000;

const CONSUMER = new URL("tests/npm/", ROOT);

/**
 * Runs the consumer's tests.
 *
 * @param env `REDIS_URL`.
 * @throws {Error} If the package cannot be packed or installed.
 */
export async function runNpmTests(
  env: Record<string, string>,
): Promise<Counts> {
  const dir = await Deno.makeTempDir({ prefix: "mcp-tasks-redis-npm-" });
  try {
    const tarball = `${dir}/mcp-tasks-redis.tgz`;
    await must(ROOT, Deno.execPath(), [
      "pack",
      "--quiet",
      "--allow-dirty",
      "--output",
      tarball,
    ]);

    const consumer = `${dir}/consumer`;
    await Deno.mkdir(consumer);
    for await (const { name } of Deno.readDir(CONSUMER)) {
      await Deno.copyFile(new URL(name, CONSUMER), `${consumer}/${name}`);
    }
    await writeReadmeExamples(consumer, env.REDIS_URL ?? "");
    await must(consumer, "npm", [
      "install",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
    ]);
    return await runNode(consumer, env);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** README's examples for Node join the consumer, as `readme_<line>.ts`. */
async function writeReadmeExamples(
  consumer: string,
  redisUrl: string,
): Promise<void> {
  const readme = await readReadme(redisUrl);
  for (const match of readme.matchAll(/^```(?:ts|js)\b.*\n([^]*?)^```$/gm)) {
    const code = match[1] ?? "";
    if (!code.includes('"mcp-tasks-redis"')) continue;
    const line = readme.slice(0, match.index).split("\n").length;
    await Deno.writeTextFile(`${consumer}/readme_${line}.ts`, code);
  }
}

async function runNode(
  consumer: string,
  env: Record<string, string>,
): Promise<Counts> {
  const report = `${consumer}/report.tap`;
  const { success } = await new Deno.Command("node", {
    args: [
      "--test",
      ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
      ...["--test-reporter=tap", `--test-reporter-destination=${report}`],
      ...["backend.mjs", "package.mjs"],
    ],
    cwd: consumer,
    env,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  const tap = await Deno.readTextFile(report);
  const count = (what: string) =>
    Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(tap)?.[1] ?? 0);
  const failed = count("fail") + count("cancelled");
  return {
    passed: count("pass"),
    failed: success ? failed : Math.max(failed, 1),
    ignored: [...tap.matchAll(/^ *ok \d+ - (.*) # (?:SKIP|TODO)/gm)]
      .map(([, name = ""]) => name),
  };
}

async function must(
  cwd: string | URL,
  program: string,
  args: string[],
): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd,
    stdin: "null",
  }).output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new Error(
    `${program} ${args.join(" ")} failed:\n${decoder.decode(stdout)}${
      decoder.decode(stderr)
    }`,
  );
}
