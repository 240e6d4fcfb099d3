/** Waiting for a task to be in a state: by event, without polling. */

import { MAX_TIMER_MS } from "../storage/checks.ts";
import {
  InvalidTransitionError,
  taskGone,
  TaskTimeoutError,
} from "./errors.ts";
import {
  optional,
  requireBoolean,
  requireSignal,
  requireStatus,
  wrongKind,
} from "./argument_checks.ts";
import type { TaskRecord } from "./record.ts";
import { isFinalStatus, type TaskStatus } from "./status.ts";

/** Options of `waitFor`: the states it waits for, and how long. */
export interface WaitOptions {
  /** The state, or any of several. */
  readonly status?: TaskStatus | readonly TaskStatus[] | undefined;
  /** Any final state. */
  readonly final?: boolean | undefined;
  /**
   * The most time to wait, in milliseconds; it is kept whatever the storage
   * does. Default: no bound.
   */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait: it throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The time a task that was not seen in time has in addition, in milliseconds:
 * with a time of 0 it is looked at once where the storage is well.
 */
const FIRST_LOOK_MS = 30;

/** Waits for a task; see `TaskStore.waitFor` for what it promises. */
export async function waitForTask(
  taskId: string,
  clock: () => number,
  open: () => AsyncIterableIterator<TaskRecord>,
  { status, final = false, timeoutMs, signal }: WaitOptions,
): Promise<TaskRecord> {
  const wanted: readonly TaskStatus[] = [status ?? []].flat();
  for (const one of wanted) requireStatus("status", one);
  requireBoolean("final", final);
  optional(requireSignal, "signal", signal);
  if (wanted.length === 0 && !final) {
    throw new TypeError(
      "waitFor() waits for nothing: expected a status, or final: true",
    );
  }
  if (timeoutMs !== undefined && typeof timeoutMs !== "number") {
    throw wrongKind("timeoutMs", timeoutMs, "milliseconds from 0");
  }
  if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
    throw new RangeError(
      `timeoutMs is ${timeoutMs}: expected milliseconds from 0`,
    );
  }
  signal?.throwIfAborted();
  let last: TaskRecord | undefined;
  let isLate = false;
  const timeout = () =>
    new TaskTimeoutError(taskId, timeoutMs!, last?.task.status);
  const watch = open();
  const follow = async () => {
    for await (const record of watch) {
      last = record;
      const now = record.task.status;
      if (wanted.includes(now) || (final && isFinalStatus(now))) return record;
      if (isFinalStatus(now)) {
        throw new InvalidTransitionError(taskId, now, wanted[0] ?? now);
      }
      if (isLate) throw timeout();
    }
    throw taskGone(taskId, last, clock());
  };
  if (timeoutMs === undefined && signal === undefined) return await follow();

  let timer: ReturnType<typeof setTimeout> | undefined;
  let onAbort: (() => void) | undefined;
  const interrupted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    if (timeoutMs === undefined || timeoutMs > MAX_TIMER_MS) return;
    timer = setTimeout(() => {
      isLate = true;
      if (last !== undefined) return reject(timeout());
      timer = setTimeout(() => reject(timeout()), FIRST_LOOK_MS);
    }, timeoutMs);
  });
  try {
    return await Promise.race([follow(), interrupted]);
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener("abort", onAbort);
    watch.return?.();
  }
}
