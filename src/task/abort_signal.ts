/** How a worker hears that its task is no longer wanted: by event, at once. */

import { BackendError } from "../storage/errors.ts";
import {
  LeaseLostError,
  TaskCancelledError,
  TaskError,
  taskGone,
  TaskNotFoundError,
  TaskStorageError,
} from "./errors.ts";
import { watchWithRetry } from "./watch_with_retry.ts";
import type { TaskRecord } from "./record.ts";
import { isFinalStatus } from "./status.ts";

/**
 * Follows a task to its end and aborts a signal if that end is not the
 * worker's own: cancelled, expired, deleted, or failed for a lost lease.
 *
 * @param watch Opens the watch; opened again where the storage fails.
 */
export function taskAbortSignal(
  taskId: string,
  clock: () => number,
  watch: () => AsyncIterable<TaskRecord>,
): AbortSignal {
  const controller = new AbortController();
  abortReason(taskId, clock, watch).then(
    (reason) => reason && controller.abort(reason),
  );
  return controller.signal;
}

/** Resolves to why the work should stop; `undefined` if it has ended well. */
async function abortReason(
  taskId: string,
  clock: () => number,
  watch: () => AsyncIterable<TaskRecord>,
): Promise<TaskError | undefined> {
  let last: TaskRecord | undefined;
  try {
    for await (last of watchWithRetry(watch)) {
      if (isFinalStatus(last.task.status)) return reasonOf(last);
    }
  } catch (error) {
    // A closed storage has nothing more to say; a damaged record is no task.
    if (isClosed(error) || !(error instanceof TaskError)) return undefined;
    if (!(error instanceof TaskNotFoundError)) return error;
  }
  return taskGone(taskId, last, clock());
}

function isClosed(error: unknown): boolean {
  return error instanceof TaskStorageError &&
    error.cause instanceof BackendError && error.cause.closed;
}

function reasonOf({ task, lease }: TaskRecord): TaskError | undefined {
  if (task.status === "cancelled") {
    return new TaskCancelledError(task.taskId, task.statusMessage);
  }
  return lease?.lostAt === undefined ? undefined : new LeaseLostError(
    task.taskId,
    task.status,
    lease.holder,
    lease.expiresAt,
  );
}
