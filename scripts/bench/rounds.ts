/**
 * Times operations in turns, round by round, so that a slow moment of the
 * machine strikes all alike, and asks the server what each cost it.
 *
 * @module
 */

import process from "node:process";
import { type Bed, removeNew } from "./bed.ts";
import type { Operation } from "./operation.ts";
import { median } from "./statistics.ts";
import { type CommandStats, readCommandStats } from "./command_stats.ts";

/** What the rounds say of one operation. */
export interface Timing {
  /** Microseconds of a call, round by round. */
  readonly rounds: readonly number[];
  /** Median server time of a call in microseconds. */
  readonly serverUs: number;
  /** Median processor time of this process for a call in microseconds. */
  readonly clientUs: number;
}

/**
 * Runs all rounds; the first one warms up and is not counted.
 *
 * @param sent Commands the client sends in one call, by operation: what a
 * script runs is part of the script's time already.
 */
export async function timeRounds(
  bed: Bed,
  operations: readonly Operation[],
  sent: ReadonlyMap<string, ReadonlyMap<string, number>>,
): Promise<Map<string, Timing>> {
  const times = new Map<
    string,
    { wall: number[]; server: number[]; client: number[] }
  >();
  for (let round = 0; round <= bed.settings.rounds; round++) {
    for (const operation of operations) {
      const timed = await timeOnce(bed, operation, sent.get(operation.name)!);
      if (round === 0) continue;
      const all = times.get(operation.name) ??
        { wall: [], server: [], client: [] };
      all.wall.push(timed.us);
      all.server.push(timed.serverUs);
      all.client.push(timed.clientUs);
      times.set(operation.name, all);
    }
  }
  return new Map(
    [...times].map(([name, { wall, server, client }]) => [
      name,
      { rounds: wall, serverUs: median(server), clientUs: median(client) },
    ]),
  );
}

async function timeOnce(
  bed: Bed,
  operation: Operation,
  sent: ReadonlyMap<string, number>,
): Promise<{ us: number; serverUs: number; clientUs: number }> {
  const { inflight: everywhere, calls: all } = bed.settings;
  const { inflight = everywhere, slower = 1 } = operation;
  const calls = Math.max(2, Math.ceil(all / slower));
  const call = await operation.prepare(calls);
  await bed.tuned.sendCommand(["CONFIG", "RESETSTAT"]);
  let next = 0;
  const worker = async () => {
    while (next < calls) await call(next++);
  };
  const used = process.cpuUsage();
  const startMs = performance.now();
  await Promise.all(Array.from({ length: inflight }, worker));
  const us = (performance.now() - startMs) * 1000 / calls;
  const { user, system } = process.cpuUsage(used);
  const stats = await readCommandStats(bed.tuned);
  await removeNew(bed.tuned);
  let serverUs = 0;
  for (const [command, count] of sent) {
    serverUs += count * usPerCall(stats, command);
  }
  return { us, serverUs, clientUs: (user + system) / calls };
}

/** A script may have been sent by its source where its digest was not ready. */
const SCRIPT_COMMANDS = ["eval", "evalsha"];

function usPerCall(
  stats: ReadonlyMap<string, CommandStats>,
  command: string,
): number {
  const same = SCRIPT_COMMANDS.includes(command) ? SCRIPT_COMMANDS : [command];
  let calls = 0;
  let us = 0;
  for (const name of same) {
    const found = stats.get(name);
    if (!found) continue;
    calls += found.calls;
    us += found.us;
  }
  return calls === 0 ? 0 : us / calls;
}
