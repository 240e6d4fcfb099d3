/**
 * The measuring process: `scripts/bench.ts` starts it on Deno or, bundled, on
 * Node, with the settings as JSON in its only argument; the last line it
 * prints is the figures as JSON.
 *
 * @module
 */

import process from "node:process";
import { backendOperations } from "./backend_operations.ts";
import { type Bed, openBed } from "./bed.ts";
import { countAll } from "./counts.ts";
import { floors } from "./floors.ts";
import { listOperations } from "./list_operations.ts";
import { measureMemory } from "./memory.ts";
import type { Operation } from "./operation.ts";
import { timeRounds } from "./rounds.ts";
import type { Cost, Figures, Settings } from "./settings.ts";
import { median } from "./statistics.ts";
import { taskOperations } from "./task_operations.ts";
import { isWaitingThread, measureWakeUp, runWaitingThread } from "./wake_up.ts";

async function measure(settings: Settings): Promise<Figures> {
  const costs: Record<string, Cost> = {};
  // Lists come after the rest: removing what a round has added walks all keys.
  for (const group of [recordOperations, listsOf]) {
    Object.assign(costs, await costsOf(settings, group));
  }
  const bed = await openBed(settings, settings.url);
  await bed.tuned.flushAll("SYNC");
  const wakeUp = settings.short || settings.only !== ""
    ? undefined
    : await measureWakeUp(bed, new URL(import.meta.url));
  const memory = await measureMemory(bed);
  const server = await serverVersion(bed);
  await bed.close();
  return {
    runtime: runtimeVersion(),
    server,
    settings,
    costs,
    memory,
    ...(wakeUp ? { wakeUp } : {}),
  };
}

type Group = (bed: Bed) => Promise<Operation[]>;

async function recordOperations(bed: Bed): Promise<Operation[]> {
  return [
    ...await floors(bed),
    ...wanted(bed, [...backendOperations(bed), ...await taskOperations(bed)]),
  ];
}

function listsOf(bed: Bed): Promise<Operation[]> {
  return Promise.resolve(wanted(bed, listOperations(bed)));
}

function wanted({ settings }: Bed, operations: Operation[]): Operation[] {
  return operations.filter(({ name }) => name.includes(settings.only));
}

async function costsOf(
  settings: Settings,
  group: Group,
): Promise<Record<string, Cost>> {
  const counts = await countAll(settings, group);
  const bed = await openBed(settings, settings.url);
  const sent = new Map([...counts].map(([name, { sent }]) => [name, sent]));
  const timings = await timeRounds(bed, await group(bed), sent);
  await bed.close();
  const costs: Record<string, Cost> = {};
  for (const [name, { rounds, serverUs, clientUs }] of timings) {
    const { roundTrips, sent, inside } = counts.get(name)!;
    costs[name] = {
      us: median(rounds),
      serverUs,
      clientUs,
      roundTrips,
      commands: [...sent.values()].reduce((sum, count) => sum + count, 0),
      inside,
      rounds,
    };
  }
  return costs;
}

async function serverVersion({ tuned }: Bed): Promise<string> {
  const info = await tuned.info("server");
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
  return valkey
    ? `Valkey ${valkey}`
    : `Redis ${/^redis_version:(\S+)/m.exec(info)?.[1]}`;
}

function runtimeVersion(): string {
  const { deno, node } = process.versions;
  return deno ? `Deno ${deno}` : `Node ${node}`;
}

if (isWaitingThread()) {
  await runWaitingThread();
} else {
  const figures = await measure(JSON.parse(process.argv[2]!) as Settings);
  console.log(JSON.stringify(figures));
  process.exit();
}
