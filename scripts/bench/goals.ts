/** The goals of the storage core, and which of them a run has reached. */

import { OURS } from "./backend_operations.ts";
import { FLOOR } from "./floors.ts";
import { LISTS } from "./list_operations.ts";
import { MEMORY } from "./memory.ts";
import type { Figures } from "./settings.ts";
import { speedRatio } from "./statistics.ts";
import { originalOf, oursOf, TASKS } from "./task_operations.ts";

/** One goal and what was measured. */
export interface GoalResult {
  readonly name: string;
  readonly value: number;
  readonly goal: number;
  /** Whether the value must be at least or at most the goal. */
  readonly bound: "at least" | "at most";
  readonly unit: string;
  readonly reached: boolean;
}

/** Ratios of speed to a floor: what, floor, goal. */
const SPEED: readonly [string, string, number][] = [
  [OURS.get, FLOOR.get, 0.8],
  [OURS.put, FLOOR.write, 0.5],
  [OURS.cas, FLOOR.write, 0.5],
  [OURS.put, FLOOR.compare, 0.75],
  [OURS.cas, FLOOR.compare, 0.75],
  [OURS.putNew, FLOOR.create, 0.65],
  [OURS.create, FLOOR.create, 0.65],
  [OURS.createWithQuota, FLOOR.create, 0.6],
  [OURS.delete, FLOOR.delete, 0.6],
  [OURS.get, FLOOR.plainGet, 1.3],
  [OURS.put, FLOOR.plainWrite, 0.7],
  [OURS.cas, FLOOR.plainWrite, 0.7],
  [OURS.putNew, FLOOR.plainCreate, 0.9],
  [OURS.create, FLOOR.plainCreate, 0.9],
  ...Object.values(TASKS).map((task): [string, string, number] => [
    oursOf(task),
    originalOf(task),
    task === TASKS.list ? 12 : 1,
  ]),
];

/** Ratios of server time to that of the script with HSET. */
const SERVER: readonly [string, number][] = [
  [OURS.put, 3],
  [OURS.cas, 3],
];

/** Ratios of memory to that of a bare hash. */
const RECORD: readonly [string, number][] = [
  [MEMORY.active, 1.8],
  [MEMORY.activeLarge, 1.8],
  [MEMORY.finished, 1.6],
  [MEMORY.finishedLarge, 1.6],
];

const PAGE_SERVER_US = 60;
const WAKE_UP_ROUND_TRIPS = 2.5;

/** Judges a run; a short one only by what it measures well. */
export function judge(figures: Figures): GoalResult[] {
  const { costs, memory, wakeUp, settings } = figures;
  const results: GoalResult[] = [];
  const add = (
    name: string,
    value: number,
    bound: GoalResult["bound"],
    goal: number,
    unit: string,
  ) => {
    const reached = bound === "at least" ? value >= goal : value <= goal;
    results.push({ name, value, bound, goal, unit, reached });
  };
  if (!settings.short) {
    for (const [ours, floor, goal] of SPEED) {
      if (!costs[ours] || !costs[floor]) continue;
      const value = speedRatio(costs[floor]!.rounds, costs[ours]!.rounds);
      add(`${ours} / ${floor}`, value, "at least", goal, "of its speed");
    }
  }
  const get = costs[OURS.get];
  if (get) {
    const commands = get.commands + get.inside;
    add("get is one plain command", commands, "at most", 1, "commands");
  }
  for (const [ours, goal] of SERVER) {
    if (!costs[ours]) continue;
    const value = costs[ours].serverUs / costs[FLOOR.write]!.serverUs;
    add(`${ours} on the server`, value, "at most", goal, "HSET scripts");
  }
  for (const name of [LISTS.small, LISTS.large]) {
    const cost = costs[name];
    if (cost) {
      add(
        `${name} on the server`,
        cost.serverUs,
        "at most",
        PAGE_SERVER_US,
        "us",
      );
    }
  }
  if (wakeUp) {
    const value = wakeUp.us / wakeUp.pingUs;
    const goal = WAKE_UP_ROUND_TRIPS;
    add("completion to wake-up", value, "at most", goal, "round trips");
  }
  for (const [kind, goal] of RECORD) {
    const value = memory[kind]! / memory[MEMORY.bare]!;
    add(`memory: ${kind}`, value, "at most", goal, "bare hashes");
  }
  return results;
}
