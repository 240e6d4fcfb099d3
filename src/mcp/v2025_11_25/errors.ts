/**
 * The errors of `SdkTaskStore` and `SdkTaskMessageQueue`: in the words of the
 * SDK's own, and with nothing in them that is none of a client's business. The
 * SDK answers its clients with the message of whatever is thrown.
 */

import {
  InvalidTransitionError,
  TaskError,
  TaskExpiredError,
  TaskNotFoundError,
} from "../../task/errors.ts";
import { idText } from "../../task/quoted.ts";
import type { JsonRpcError } from "../../task/record.ts";
import type { TaskStatus } from "../../task/status.ts";
import {
  isServersOwn,
  type OnError,
  report,
  toClientError,
} from "../client_errors.ts";

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
  return new Error(`Task with ID ${idText(taskId)} not found`, { cause });
}

/** Reports an error if it is the server's own; returns what may be shown. */
export function shownError(onError: OnError, error: unknown): unknown {
  // The error a task failed with is that task's answer.
  if (isServersOwn(error) && !(error instanceof TaskFailedError)) {
    report(onError, error);
  }
  return toClientError(error);
}
