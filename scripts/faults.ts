/**
 * `deno task faults`: breaks connections and servers under a workload of many
 * instances, and proves every answer against the append-only file. It exits
 * with 1 on a violation.
 *
 * `--ops N` calls, or `--seconds N`; `--mode node|sentinel|cluster|all`;
 * `--keys N` (200); `--by etag|version|both`; `--seed N`; `--instances N` (8);
 * `--workers N` of each (8); `--fault-every N` calls (50); `--break NAME`
 * breaks the library on purpose: the checker must find it.
 *
 * @module
 */

import { breakLibrary } from "./faults/break.ts";
import { startCluster } from "./faults/cluster.ts";
import { FaultCounts } from "./faults/network.ts";
import { startNode } from "./faults/node.ts";
import { printRun, type RunTotals } from "./faults/print.ts";
import { type RoundResult, runRound } from "./faults/round.ts";
import { startSentinel } from "./faults/sentinel.ts";
import type { StartTopology, Topology } from "./faults/topology.ts";
import { type By, keySpace } from "./faults/worker.ts";
import { UnplannedFailover } from "./faults/unplanned_failover.ts";

type Mode = "node" | "sentinel" | "cluster";

const MODES: Record<Mode, StartTopology> = {
  node: startNode,
  sentinel: startSentinel,
  cluster: startCluster,
};

/** Of all calls and seconds, the share of each mode of `all`. */
const SHARES: Record<Mode, number> = { node: 0.6, sentinel: 0.2, cluster: 0.2 };

/** The length of a run that names none: what the gate has time for. */
const GATE_SECONDS = 150;

/** Workers of an instance: fewer where faults take seconds to pass. */
const WORKERS: Record<Mode, number> = { node: 8, sentinel: 3, cluster: 2 };

/** A round is checked as a whole; more calls would only take more memory. */
const CALLS_A_ROUND = 50_000;

/** Rounds that may be given up: a busy machine replaces masters of its own. */
const MAX_GIVEN_UP = 5;

interface Options {
  readonly modes: readonly Mode[];
  readonly calls: number;
  readonly seconds: number;
  readonly keys: number;
  readonly by: By;
  readonly seed: number;
  readonly instances: number;
  readonly workers: number | undefined;
  readonly faultEvery: number;
  readonly broken: string | undefined;
}

async function runMode(mode: Mode, options: Options): Promise<RunTotals> {
  const share = options.modes.length === 1 ? 1 : SHARES[mode];
  const calls = options.calls * share;
  let untilMs = Date.now() + options.seconds * share * 1000;
  const counts = new FaultCounts();
  const totals: RunTotals = { mode, counts, rounds: [] };
  const keys = keySpace(options.keys);
  const owners = Object.values(keys).flat().map(({ owner }) => owner);
  let done = 0;
  let givenUp = 0;
  for (let n = 0; done < calls && Date.now() < untilMs; n++) {
    const startMs = Date.now();
    const prefix = "mcp";
    await using topology: Topology = await MODES[mode](prefix, owners);
    let result: RoundResult;
    try {
      result = await runRound(topology, counts, {
        ...options,
        workers: options.workers ?? WORKERS[mode],
        prefix,
        keys,
        seed: options.seed + n,
        calls: Math.min(CALLS_A_ROUND, calls - done),
        untilMs,
      });
    } catch (error) {
      const isGivenUp = error instanceof UnplannedFailover &&
        ++givenUp <= MAX_GIVEN_UP;
      if (!isGivenUp) throw error;
      console.error(`${mode}, round ${n + 1}: ${error.message}, another one`);
      untilMs += Date.now() - startMs;
      continue;
    }
    done += result.calls;
    totals.rounds.push(result);
    console.error(
      `${mode}, round ${n + 1}: ${result.calls} calls in ${
        result.seconds.toFixed(0)
      } s, ${result.findings.violations.length} violations`,
    );
  }
  return totals;
}

function readOptions(args: readonly string[]): Options {
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i += 2) {
    const [name = "", value] = [args[i], args[i + 1]];
    if (!name.startsWith("--") || value === undefined) {
      throw new TypeError(`${name}: expected --name value`);
    }
    given.set(name.slice(2), value);
  }
  const number = (name: string, standard: number): number => {
    const text = given.get(name);
    given.delete(name);
    if (text === undefined) return standard;
    const value = Number(text);
    if (value > 0) return value;
    throw new RangeError(`--${name} is ${text}: expected a number above 0`);
  };
  const word = <T extends string>(
    name: string,
    words: readonly T[],
    standard: T,
  ): T => {
    const text = given.get(name) ?? standard;
    given.delete(name);
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new RangeError(
      `--${name} is ${text}: expected one of ${words.join(", ")}`,
    );
  };
  const modes = Object.keys(MODES) as Mode[];
  const mode = word("mode", [...modes, "all"], "all");
  const calls = number("ops", Infinity);
  const seconds = number(
    "seconds",
    calls === Infinity ? GATE_SECONDS : Infinity,
  );
  const broken = given.get("break");
  given.delete("break");
  const options: Options = {
    modes: mode === "all" ? modes : [mode],
    calls,
    seconds,
    keys: number("keys", 200),
    by: word("by", ["both", "etag", "version"], "both"),
    seed: number("seed", Math.floor(Math.random() * 1e9) + 1),
    instances: number("instances", 8),
    workers: number("workers", 0) || undefined,
    faultEvery: number("fault-every", 50),
    broken,
  };
  for (const name of given.keys()) throw new TypeError(`--${name} is unknown`);
  return options;
}

if (import.meta.main) {
  // Exiting by ourselves ends the servers on the way out.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => Deno.exit(1));
  }
  const options = readOptions(Deno.args);
  console.error(`seed ${options.seed}`);
  if (options.broken) breakLibrary(options.broken);
  let isRight = true;
  for (const mode of options.modes) {
    isRight = printRun(await runMode(mode, options)) && isRight;
  }
  Deno.exit(isRight ? 0 : 1);
}
