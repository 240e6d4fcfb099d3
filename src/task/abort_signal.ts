/** Signals that tell a worker at once that its task is no longer wanted. */

import { errorKind } from "./error_kind.ts";
import { TaskCancelledError, TaskError, taskGone } from "./errors.ts";
import { LeaseLostError } from "./lease_errors.ts";
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
    const kind = errorKind(error);
    // A closed storage has nothing more to say; a damaged record is no task.
    if (kind === "closed" || !(error instanceof TaskError)) return undefined;
    if (kind !== "gone") return error;
  }
  return taskGone(taskId, last, clock());
}

function reasonOf({ task, lostLease }: TaskRecord): TaskError | undefined {
  if (task.status === "cancelled") {
    return new TaskCancelledError(task.taskId, task.statusMessage);
  }
  return lostLease &&
    new LeaseLostError(task.taskId, task.status, lostLease);
}
