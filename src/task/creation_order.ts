/**
 * The order of tasks made within one millisecond: lists show the tasks of one
 * process in the order they were made in.
 */

import { parseTime } from "../util/time.ts";
import type { RecordFields } from "./record.ts";

let lastMs = -1;
let lastMicros = -1;

/**
 * Takes the next place at a time of whole epoch milliseconds, in microseconds
 * after it: 0 unless a task of this process has it already.
 */
export function nextCreatedOrder(ms: number): number {
  let micros = ms * 1000;
  // A clock that was set back begins again: no task is put into the future.
  if (micros <= lastMicros && ms >= lastMs) micros = lastMicros + 1;
  lastMs = ms;
  lastMicros = micros;
  return micros - ms * 1000;
}

/** Returns the place of a task in its owner's lists, in epoch milliseconds. */
export function placeOf({ task, createdOrder = 0 }: RecordFields): number {
  return parseTime(task.createdAt) + createdOrder / 1000;
}
