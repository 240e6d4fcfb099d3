/**
 * What the gate holds a run to: round trips and commands exactly, server time
 * and memory as ratios with a margin that a noisy machine does not reach.
 *
 * @module
 */

import { FLOOR } from "./floors.ts";
import { MEMORY } from "./memory.ts";
import type { Figures } from "./settings.ts";

/** Recorded costs; `baseline.json` holds one. */
export interface Baseline {
  /** By operation: round trips, commands sent, commands inside scripts. */
  readonly counts: Readonly<Record<string, readonly number[]>>;
  /** By operation: server time in times of the script with HSET. */
  readonly serverTime: Readonly<Record<string, number>>;
  /** By kind of record: memory in bare hashes. */
  readonly memory: Readonly<Record<string, number>>;
}

/** How much worse than the baseline a ratio may be. */
const MARGIN = 1.5;

const FILE = new URL("baseline.json", import.meta.url);

/** Floors and the original do not depend on our code. */
const NOT_OURS = /^(floor|default client|original): /;

/** The part of the figures that a baseline holds. */
export function baselineOf({ costs, memory }: Figures): Baseline {
  const ours = Object.entries(costs).filter(([name]) => !NOT_OURS.test(name));
  const unit = costs[FLOOR.write]!.serverUs;
  return {
    counts: Object.fromEntries(
      ours.map(([name, { roundTrips, commands, inside }]) => [
        name,
        [roundTrips, commands, inside],
      ]),
    ),
    serverTime: Object.fromEntries(
      ours.map(([name, { serverUs }]) => [name, round(serverUs / unit)]),
    ),
    memory: Object.fromEntries(
      Object.entries(memory)
        .filter(([kind]) => kind !== MEMORY.bare)
        .map(([kind, bytes]) => [kind, round(bytes / memory[MEMORY.bare]!)]),
    ),
  };
}

/** Something that is worse than the baseline. */
export interface Regression {
  /** The same in every run: the operation or kind, and what is worse. */
  readonly id: string;
  /** One line that says both values. */
  readonly text: string;
}

const COUNTED = ["round trips", "commands sent", "commands inside scripts"];

/** Finds what is worse than the baseline, or is not in it. */
export function regressions(now: Baseline, before: Baseline): Regression[] {
  const found: Regression[] = [];
  const compare = (
    name: string,
    what: string,
    value: number,
    known: number | undefined,
    margin: number,
  ) => {
    if (known !== undefined && value <= known * margin) return;
    const was = known === undefined
      ? "not in the baseline: record it with --record"
      : `${known} in the baseline`;
    found.push({
      id: `${name}: ${what}`,
      text: `${name}: ${what}: ${value}, ${was}`,
    });
  };
  for (const [name, counts] of Object.entries(now.counts)) {
    for (const [i, count] of counts.entries()) {
      compare(name, COUNTED[i]!, count, before.counts[name]?.[i], 1);
    }
  }
  for (const [name, ratio] of Object.entries(now.serverTime)) {
    const known = before.serverTime[name];
    compare(name, "server time in HSET scripts", ratio, known, MARGIN);
  }
  for (const [kind, ratio] of Object.entries(now.memory)) {
    const known = before.memory[kind];
    compare(kind, "memory in bare hashes", ratio, known, MARGIN);
  }
  return found;
}

/** Reads the recorded baseline. */
export async function readBaseline(): Promise<Baseline> {
  return JSON.parse(await Deno.readTextFile(FILE));
}

/** Replaces the recorded baseline. */
export async function writeBaseline(baseline: Baseline): Promise<void> {
  await Deno.writeTextFile(FILE, JSON.stringify(baseline, null, 2) + "\n");
}

function round(ratio: number): number {
  return Number(ratio.toFixed(2));
}
