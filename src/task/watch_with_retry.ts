/** Following a task through failures of the storage, for as long as needed. */

import { isTransient } from "./error_kind.ts";
import type { TaskRecord } from "./record.ts";

/** The delay before a watch that failed is opened again. */
const REOPEN_MS = 1000;

/** Options of {@linkcode watchWithRetry}. */
export interface WatchWithRetryOptions {
  /** Ends the following between two watches. */
  readonly signal?: AbortSignal | undefined;
  /** Called with every failure that is waited out. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * Yields every version of a watch. Where the storage fails, the watch is
 * opened again, and what happened meanwhile is the next version; every other
 * error is thrown.
 *
 * @param watch Opens the watch.
 */
export async function* watchWithRetry(
  watch: () => AsyncIterable<TaskRecord>,
  { signal, onError }: WatchWithRetryOptions = {},
): AsyncGenerator<TaskRecord, void, void> {
  while (!signal?.aborted) {
    try {
      for await (const record of watch()) yield record;
      return;
    } catch (error) {
      if (signal?.aborted || !isTransient(error)) throw error;
      onError?.(error);
      await sleep(REOPEN_MS, signal);
    }
  }
}

/** Waits; an abort ends the wait. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
