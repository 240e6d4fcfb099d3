/**
 * `deno task conformance`: runs the MCP conformance suite for the Tasks
 * extension against the fixture's server: one instance, then two processes
 * behind a round-robin, both on one private Redis. The last line is the count.
 *
 * @module
 */

import {
  serveRoundRobin,
  startInstance,
} from "../tests/mcp/v2026_07_28/processes.ts";
import { startRedisServer } from "./lib/redis_server.ts";

const SUITE = "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12";

/** The scenarios, and how many checks each must pass. */
const SCENARIOS: Record<string, number | "skipped"> = {
  "tasks-lifecycle": 9,
  "tasks-capability-negotiation": 5,
  "tasks-wire-fields": 4,
  "tasks-request-state-removal": 3,
  "tasks-mrtr-input": 4,
  "tasks-request-headers": 5,
  "tasks-dispatch-and-envelope": 9,
  "tasks-required-task-error": 3,
  "tasks-mrtr-composition": 2,
  // The suite skips its only check, whatever the server does.
  "tasks-status-notifications": "skipped",
};

/** Runs a scenario and says whether it passed every check. */
async function runScenario(
  url: string,
  scenario: string,
  checks: number | "skipped",
): Promise<boolean> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-config", "--no-lock", SUITE, "server"],
      ...["--url", url, "--scenario", scenario],
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  // deno-lint-ignore no-control-regex
  const colors = /\x1b\[[0-9;]*m/g;
  const printed = (decoder.decode(stdout) + decoder.decode(stderr))
    .replaceAll(colors, "");
  const results = /Passed: (\d+)\/(\d+), (\d+) failed, (\d+) warnings/
    .exec(printed)?.slice(1).map(Number);
  const passed = checks === "skipped"
    ? success && /\bSKIPPED\b/.test(printed) && results?.[1] === 0
    : success && results !== undefined &&
      String(results) === String([checks, checks, 0, 0]);
  console.log(
    `${passed ? "ok  " : "FAIL"} ${scenario} (${
      checks === "skipped" ? "skipped by the suite" : `${checks} checks`
    })`,
  );
  if (!passed) console.log(printed);
  return passed;
}

/** Runs every scenario against a server. */
async function runAll(what: string, url: string): Promise<number> {
  console.log(`\n# ${what}`);
  let failed = 0;
  for (const [scenario, checks] of Object.entries(SCENARIOS)) {
    if (!await runScenario(url, scenario, checks)) failed++;
  }
  return failed;
}

if (import.meta.main) {
  await using redis = await startRedisServer();
  const start = (holder: string) =>
    startInstance({ redisUrl: redis.url, holder, leaseMs: 5_000 });
  await using one = await start("one");
  await using two = await start("two");
  await using both = serveRoundRobin([one.url, two.url]);
  const failed = await runAll("one instance", one.url) +
    await runAll("two instances behind a round-robin", both.url);
  const total = 2 * Object.keys(SCENARIOS).length;
  console.log(`\n${total - failed} scenarios passed, ${failed} failed`);
  if (failed > 0) Deno.exitCode = 1;
}
