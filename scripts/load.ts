/**
 * The loads of the 2026-07-28 extension in full: 1,000 streams on 100 tasks,
 * one in ten of which does not read, and 100,000 random and malformed requests.
 * `--requests N` and `--seed N` change the second. It fails where a listener is
 * late by a second, memory is not flat, or a failure goes untold.
 *
 * @module
 */

import { MemoryBackend, RedisBackend } from "../mod.ts";
import { runListenLoad } from "../tests/mcp/v2026_07_28/listen_load.ts";
import { runRequestLoad } from "../tests/mcp/v2026_07_28/request_load.ts";

const MB = 1e6;
const problems: string[] = [];

function check(what: string, holds: boolean): void {
  console.log(`${holds ? "  ok" : "FAIL"}  ${what}`);
  if (!holds) problems.push(what);
}

const mb = (bytes: number) => `${(bytes / MB).toFixed(1)} MB`;

function optionOf(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(Deno.args[at + 1]);
}

async function listen(): Promise<void> {
  const url = Deno.env.get("REDIS_URL");
  const streams = 1000;
  console.log(
    `${streams} streams on 100 tasks, ${url ? "on Redis" : "in memory"}`,
  );
  const prefix = `load-${crypto.randomUUID()}`;
  await using backend = url
    ? await RedisBackend.connect(url, { prefix })
    : new MemoryBackend();
  const report = await runListenLoad(backend, {
    owners: 10,
    tasks: 100,
    streams,
    stuckEvery: 10,
    changes: 20,
    roundMs: 1000,
    stateLength: 50_000,
  });
  const { received, maxLateMs, medianLateMs, incomplete } = report;
  const grown = report.peakBytes - report.openBytes;
  console.log(
    `      ${received} states received; late by ${
      medianLateMs.toFixed(1)
    } ms in the median, ${
      maxLateMs.toFixed(0)
    } ms at most; the process stood still for ${
      report.maxStallMs.toFixed(0)
    } ms at most`,
  );
  console.log(
    `      ${mb(report.openBytes)} with all streams open, ${
      mb(grown)
    } more at most, ${mb(report.endBytes - report.openBytes)} at the end; ${
      mb(report.unsentBytes)
    } were not sent to those that do not read`,
  );
  check("no listener is late by a second", maxLateMs < 1000);
  check("each has the last state of its tasks", incomplete === 0);
  check("memory is bounded: 50 MB for 5 MB of states", grown < 50 * MB);
}

async function requests(): Promise<void> {
  const count = optionOf("requests", 100_000);
  const seed = optionOf("seed", Date.now() % 1e9);
  console.log(`${count} random and malformed requests, seed ${seed}`);
  const report = await runRequestLoad({ requests: count, seed });
  console.log(`      answers: ${JSON.stringify(report.statuses)}`);
  console.log(`      in use at each tenth: ${report.bytes.map(mb).join(", ")}`);
  for (const problem of [...report.untold, ...report.unhandled].slice(0, 5)) {
    console.log("     ", problem);
  }
  check("no rejection is unhandled", report.unhandled.length === 0);
  check("no failure goes without onError", report.untold.length === 0);
  const [early = 0, late = 0] = [report.bytes[1], report.bytes.at(-1)];
  check(`memory is flat: ${mb(late - early)}`, late - early < 10 * MB);
}

if (import.meta.main) {
  await listen();
  await requests();
  if (problems.length > 0) Deno.exit(1);
}
