/**
 * `deno task bench`: what each operation costs against the least a user of
 * node-redis would send for it, against the access pattern of the original,
 * on the server, on the wire and in memory; and which goals are reached. On a
 * private Redis (`REDIS_SERVER` names its program).
 *
 * - `--runtime node|deno|both`: where the library runs. Default: `both`.
 * - `--inflight N`: calls at once. Default: 64.
 * - `--bytes N`: the length of a record's data, from 64. Default: 432.
 * - `--rounds N`, `--calls N`: how long to measure. Default: 21 rounds of
 *   2,000 calls.
 * - `--only TEXT`: measures the floors, memory and the operations whose names
 *   have TEXT in them.
 * - `--json FILE`: writes all figures and goals to a file.
 * - `--short`: the part for the gate, on Deno: fails when round trips,
 *   commands, server time or memory are worse than `bench/baseline.json`.
 * - `--record`: with `--short`, replaces that baseline.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  baselineOf,
  readBaseline,
  regressions,
  writeBaseline,
} from "./bench/baseline.ts";
import { judge } from "./bench/goals.ts";
import { printFigures, printGoals } from "./bench/report.ts";
import { measureOn, type Runtime } from "./bench/runtimes.ts";
import type { Figures, Settings } from "./bench/settings.ts";
import { startRedisServer } from "./lib/redis_server.ts";
import { findStd } from "./std.ts";

const { values: options } = parseArgs({
  args: [...Deno.args],
  options: {
    runtime: { type: "string" },
    inflight: { type: "string", default: "64" },
    bytes: { type: "string", default: "432" },
    rounds: { type: "string" },
    calls: { type: "string" },
    only: { type: "string", default: "" },
    json: { type: "string" },
    short: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
  },
});

const settings: Omit<Settings, "url"> = {
  inflight: integer("inflight", options.inflight, 1),
  bytes: integer("bytes", options.bytes, 64),
  rounds: integer("rounds", options.rounds ?? (options.short ? "15" : "21"), 1),
  calls: integer("calls", options.calls ?? (options.short ? "500" : "2000"), 1),
  records: options.short ? 4_000 : 20_000,
  only: options.only,
  short: options.short,
};

const std = await findStd();
const all: Figures[] = [];
for (const runtime of runtimes(options.runtime)) {
  const figures = await measure(runtime);
  printFigures(figures);
  printGoals(judge(figures));
  all.push(figures);
}
if (options.json !== undefined) {
  const runs = all.map((figures) => ({ ...figures, goals: judge(figures) }));
  await Deno.writeTextFile(options.json, JSON.stringify(runs, null, 2) + "\n");
}
if (options.short) await compareWithBaseline(all[0]!);

/** Measures on a server of its own. */
async function measure(runtime: Runtime): Promise<Figures> {
  await using server = await startRedisServer();
  return await measureOn(runtime, { ...settings, url: server.url }, std);
}

/**
 * Fails the process where a run is worse than the baseline, and a second run
 * too: what happens once in many calls, or to a machine, does not recur.
 */
async function compareWithBaseline(figures: Figures): Promise<void> {
  const now = baselineOf(figures);
  if (options.record) return await writeBaseline(now);
  const before = await readBaseline();
  let found = regressions(now, before);
  if (found.length > 0) {
    for (const { text } of found) console.log(`seen once: ${text}`);
    const again = await measure(runtimes(options.runtime)[0]!);
    const recurring = new Set(
      regressions(baselineOf(again), before).map(({ id }) => id),
    );
    found = found.filter(({ id }) => recurring.has(id));
  }
  for (const { text } of found) console.error(`regression: ${text}`);
  console.log(`\n${found.length} regressions`);
  if (found.length > 0) Deno.exitCode = 1;
}

function runtimes(name: string | undefined): Runtime[] {
  switch (name ?? (options.short ? "deno" : "both")) {
    case "both":
      return ["node", "deno"];
    case "node":
      return ["node"];
    case "deno":
      return ["deno"];
  }
  throw new TypeError(
    `--runtime is "${name}": expected "node", "deno" or "both"`,
  );
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(
    `--${name} is "${text}": expected an integer from ${least}`,
  );
}
