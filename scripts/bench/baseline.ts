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

/** Says what is worse than the baseline, or is not in it; one line each. */
export function regressions(now: Baseline, before: Baseline): string[] {
  const found: string[] = [];
  const kinds = ["round trips", "commands sent", "commands inside scripts"];
  for (const [name, counts] of Object.entries(now.counts)) {
    const known = before.counts[name];
    if (known === undefined) {
      found.push(`${name}: not in the baseline; record it with --record`);
      continue;
    }
    for (const [i, count] of counts.entries()) {
      if (count > known[i]!) {
        found.push(
          `${name}: ${count} ${kinds[i]}, ${known[i]} in the baseline`,
        );
      }
    }
  }
  const ratios: [string, Baseline["memory"], Baseline["memory"]][] = [
    ["server time in HSET scripts", now.serverTime, before.serverTime],
    ["memory in bare hashes", now.memory, before.memory],
  ];
  for (const [what, values, known] of ratios) {
    for (const [name, value] of Object.entries(values)) {
      const limit = known[name] === undefined ? NaN : known[name] * MARGIN;
      if (value > limit) {
        found.push(`${name}: ${what} ${value}, ${known[name]} in the baseline`);
      }
    }
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
