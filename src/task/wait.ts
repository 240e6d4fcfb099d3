/** Watching a task and waiting for one: by event, without polling. */

import { MAX_TIMER_MS } from "../storage/checks.ts";
import {
  InvalidTransitionError,
  taskGone,
  TaskTimeoutError,
} from "./errors.ts";
import type { TaskRecord } from "./record.ts";
import { isFinalStatus, type TaskStatus } from "./status.ts";

/** What `waitFor` waits for, and how long. */
export interface WaitOptions {
  /** The state, or any of several. */
  readonly status?: TaskStatus | readonly TaskStatus[] | undefined;
  /** Any final state. */
  readonly final?: boolean | undefined;
  /** The most time to wait, in milliseconds. Default: no bound. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait: it throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What the watch of a task needs of its store. */
export interface TaskWatchSource {
  readonly clock: () => number;
  /** Opens the watch of the stored record. */
  open(signal: AbortSignal): AsyncIterable<TaskRecord>;
  /** Looks at the task, which fails it if its worker is lost. */
  refresh(): Promise<TaskRecord | undefined>;
}

/** How soon a lease that should have run out is looked at again. */
const MIN_RECHECK_MS = 10;

/**
 * Yields every version of a task. No event tells that a lease has run out, so
 * the watch looks at the task then, which makes the event.
 */
export async function* watchTask(
  source: TaskWatchSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<TaskRecord, void, void> {
  const stop = new AbortController();
  const forward = () => stop.abort(signal?.reason);
  if (signal?.aborted) forward();
  signal?.addEventListener("abort", forward);
  const records = source.open(stop.signal)[Symbol.asyncIterator]();
  try {
    let leaseEnd = Infinity;
    while (true) {
      const next = records.next();
      while (!await settlesBefore(next, leaseEnd - source.clock())) {
        // Timers and clocks may differ: until the lease has run out for the
        // store too, it is looked at again.
        leaseEnd = Math.max(
          leaseEndOf(await source.refresh()),
          source.clock() + MIN_RECHECK_MS,
        );
      }
      const { done, value } = await next;
      if (done) return;
      leaseEnd = leaseEndOf(value);
      yield value;
    }
  } finally {
    signal?.removeEventListener("abort", forward);
    stop.abort();
    // Ends the subscription; the abort has woken a step still under way.
    await records.return?.().catch(() => {});
  }
}

/** When the lease of a task runs out; `Infinity` where that means nothing. */
function leaseEndOf(record: TaskRecord | undefined): number {
  return record?.lease && !isFinalStatus(record.task.status)
    ? Date.parse(record.lease.expiresAt)
    : Infinity;
}

/** Waits for a task; see `TaskStore.waitFor` for what it promises. */
export async function waitForTask(
  taskId: string,
  clock: () => number,
  watch: (signal: AbortSignal) => AsyncIterable<TaskRecord>,
  { status, final = false, timeoutMs, signal }: WaitOptions,
): Promise<TaskRecord> {
  const wanted: readonly TaskStatus[] = [status ?? []].flat();
  if (wanted.length === 0 && !final) {
    throw new TypeError(
      "waitFor() waits for nothing: expected a status, or final: true",
    );
  }
  if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
    throw new RangeError(
      `timeoutMs is ${timeoutMs}: expected milliseconds from 0`,
    );
  }
  signal?.throwIfAborted();
  const stop = new AbortController();
  const forward = () => stop.abort(signal?.reason);
  signal?.addEventListener("abort", forward);
  let last: TaskRecord | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const start = performance.now();
  const limit = (ms: number) => {
    timer = setTimeout(() => {
      stop.abort(new TaskTimeoutError(taskId, ms, last!.task.status));
    }, Math.max(0, ms - (performance.now() - start)));
  };
  try {
    for await (const record of watch(stop.signal)) {
      last = record;
      const now = record.task.status;
      if (wanted.includes(now) || (final && isFinalStatus(now))) return record;
      if (isFinalStatus(now)) {
        throw new InvalidTransitionError(taskId, now, wanted[0] ?? now);
      }
      // However short the time: the task has been looked at once.
      if (timer === undefined && timeoutMs !== undefined) {
        if (timeoutMs <= MAX_TIMER_MS) limit(timeoutMs);
      }
    }
    throw taskGone(taskId, last, clock());
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", forward);
  }
}

/** Whether a promise settles before the time is over. */
async function settlesBefore(
  promise: Promise<unknown>,
  ms: number,
): Promise<boolean> {
  const settled = promise.then(() => true, () => true);
  if (ms === Infinity) return await settled;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<boolean>((resolve) => {
    const delay = Math.min(Math.max(ms, 0), MAX_TIMER_MS);
    timer = setTimeout(() => resolve(false), delay);
  });
  try {
    return await Promise.race([settled, over]);
  } finally {
    clearTimeout(timer);
  }
}
