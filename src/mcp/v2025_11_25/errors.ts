/** The errors of `SdkTaskStore`, in the words of the SDK's own store. */

import {
  InvalidTransitionError,
  TaskError,
  TaskExpiredError,
  TaskNotFoundError,
} from "../../task/errors.ts";
import type { JsonRpcError } from "../../task/record.ts";
import type { TaskStatus } from "../../task/status.ts";

/** The JSON-RPC error a task failed with, in place of its result. */
export class TaskFailedError extends TaskError {
  /** More about it. */
  readonly data: unknown;

  /**
   * Made by `SdkTaskStore.getTaskResult`.
   *
   * @param error The error the task failed with.
   */
  constructor({ code, message, data }: JsonRpcError) {
    super(code, message);
    this.name = "TaskFailedError";
    this.data = data;
  }
}

/**
 * An error of our store as the SDK's store would word it; any other error is
 * left as it is.
 *
 * @param whenEnded Words it for a task that has ended, by its state.
 */
export function toSdkError(
  taskId: string,
  error: unknown,
  whenEnded: (status: TaskStatus) => string,
): unknown {
  if (error instanceof InvalidTransitionError) {
    return new Error(whenEnded(error.from), { cause: error });
  }
  const gone = error instanceof TaskNotFoundError ||
    error instanceof TaskExpiredError;
  return gone ? notFound(taskId, error) : error;
}

/** There is no such task for this caller. */
export function notFound(taskId: string, cause?: unknown): Error {
  return new Error(`Task with ID ${taskId} not found`, { cause });
}
