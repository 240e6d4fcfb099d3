/** Following a task through failures of the storage, for as long as needed. */

import { BackendError } from "../../errors.ts";
import type { TaskRecord } from "../../task/record.ts";
import { TaskStorageError } from "../../task/errors.ts";
import type { TaskStore } from "../../task/task_store.ts";

/** How long to wait before a watch that failed is opened again. */
const REOPEN_MS = 1000;

/**
 * Yields the task as it stands, then every later version. It ends when the
 * task is no more or the signal aborts; where the storage fails, the watch is
 * opened again, and what happened meanwhile is the next version.
 *
 * @param onError Told of every failure that is waited out.
 */
export async function* followTask(
  store: TaskStore,
  taskId: string,
  owner: string,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): AsyncGenerator<TaskRecord, void, void> {
  while (!signal.aborted) {
    try {
      for await (const record of store.watch(taskId, owner, { signal })) {
        yield record;
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) {
        if (error instanceof TaskStorageError) onError(error);
        return;
      }
      onError(error);
      await sleep(REOPEN_MS, signal);
    }
  }
}

/** Whether the storage failed in a way that may pass. */
export function isPassing(error: unknown): boolean {
  return error instanceof TaskStorageError &&
    error.cause instanceof BackendError && !error.cause.closed;
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
