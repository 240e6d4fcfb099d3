/**
 * What a caller could know: for each call the places of the history between
 * which its answer must have been true. A call that had ended before this one
 * started bounds it from below, a write that started after its end from above.
 */

import type { Call } from "./calls.ts";
import { ABSENT, type State } from "./states.ts";

/** Between which transactions a call took effect, both included. */
export interface Window {
  /** The latest place a call that ended before is known to have seen. */
  readonly lo: number;
  /** The last place before a write that started after the end. */
  readonly hi: number;
}

/**
 * Visits the calls by their end, each with its window.
 *
 * @param pointOf The place where a write took effect, where it did.
 * @param resolve Returns the first place where the answer is true, which later
 * calls can know; `undefined` where it says nothing.
 */
export function sweep(
  calls: readonly Call[],
  pointOf: (call: Call) => number | undefined,
  resolve: (call: Call, window: Window) => number | undefined,
): void {
  const ends = calls.filter(({ end }) => end !== Infinity)
    .toSorted((a, b) => a.end - b.end);
  const starts = calls.toSorted((a, b) => a.start - b.start);

  // From the end of the run to its start: what later writes rule out.
  const hi = new Map<Call, number>();
  let ceiling = Infinity;
  for (let s = starts.length - 1, e = ends.length - 1; e >= 0;) {
    const call = ends[e]!;
    if (s >= 0 && starts[s]!.start > call.end) {
      const point = pointOf(starts[s--]!);
      if (point !== undefined) ceiling = Math.min(ceiling, point - 1);
    } else {
      hi.set(call, ceiling);
      e--;
    }
  }

  let floor = -1;
  const lo = new Map<Call, number>();
  for (let s = 0, e = 0; e < ends.length;) {
    if (s < starts.length && starts[s]!.start < ends[e]!.end) {
      lo.set(starts[s++]!, floor);
      continue;
    }
    const call = ends[e++]!;
    const window = { lo: lo.get(call)!, hi: hi.get(call)! };
    lo.delete(call);
    const point = resolve(call, window);
    // One that is past its window is a violation, reported once: it must not
    // make violations of all that follow.
    if (point !== undefined && point <= window.hi) {
      floor = Math.max(floor, point);
    }
  }
}

/** The index of the state of a key at a place. */
export function indexAt(states: readonly State[], at: number): number {
  let low = 0;
  let high = states.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (states[middle]!.at <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The state of a key at a place. */
export function stateAt(
  states: readonly State[] | undefined,
  at: number,
): State {
  return states === undefined ? ABSENT : states[indexAt(states, at)]!;
}

/** The first place of a window where a state of the key fits. */
export function firstFit(
  states: readonly State[] | undefined,
  { lo, hi }: Window,
  fits: (state: State) => boolean,
): number | undefined {
  if (states === undefined) return fits(ABSENT) ? lo : undefined;
  // Several states of one transaction: only the last is ever seen, but the
  // earlier ones are harmless.
  for (let i = indexAt(states, lo); i < states.length; i++) {
    const state = states[i]!;
    if (state.at > hi) return undefined;
    if (fits(state)) return Math.max(lo, state.at);
  }
  return undefined;
}
