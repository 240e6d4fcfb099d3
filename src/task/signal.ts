/** How a worker hears that its task is no longer wanted: by event, at once. */

import { BackendError } from "../errors.ts";
import {
  LeaseLostError,
  TaskCancelledError,
  TaskError,
  taskGone,
} from "./errors.ts";
import type { TaskRecord } from "./record.ts";
import { isFinalStatus } from "./status.ts";

/** How long to wait before a watch that failed is opened again. */
const REOPEN_MS = 1000;

/**
 * Follows a task to its end and aborts a signal if that end is not the
 * worker's own: cancelled, expired, deleted, or failed for a lost lease.
 *
 * @param watch Opens the watch; opened again where the storage fails.
 */
export function abortWithTask(
  taskId: string,
  clock: () => number,
  watch: () => AsyncIterable<TaskRecord>,
): AbortSignal {
  const controller = new AbortController();
  follow(taskId, clock, watch).then(
    (reason) => reason && controller.abort(reason),
  );
  return controller.signal;
}

/** Resolves to why the work should stop; `undefined` if it has ended well. */
async function follow(
  taskId: string,
  clock: () => number,
  watch: () => AsyncIterable<TaskRecord>,
): Promise<TaskError | undefined> {
  let last: TaskRecord | undefined;
  while (true) {
    try {
      for await (last of watch()) {
        if (isFinalStatus(last.task.status)) return reasonOf(last);
      }
      return taskGone(taskId, last, clock());
    } catch (error) {
      const { cause } = error as { cause?: unknown };
      if (!(cause instanceof BackendError)) {
        return error instanceof TaskError
          ? taskGone(taskId, last, clock())
          : undefined;
      }
      // The storage is away or closed; a closed one has nothing more to say.
      if (cause.closed) return undefined;
      await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
    }
  }
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
