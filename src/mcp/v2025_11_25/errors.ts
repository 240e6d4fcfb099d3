/**
 * The errors of `SdkTaskStore` and `SdkTaskMessageQueue`: in the words of the
 * SDK's own, and with nothing in them that is none of a client's business. The
 * SDK answers its clients with the message of whatever is thrown.
 */

import { StorageError } from "../../storage/errors.ts";
import {
  AnonymousOwnerError,
  InvalidTransitionError,
  TaskError,
  TaskExpiredError,
  TaskNotFoundError,
  TaskStorageError,
} from "../../task/errors.ts";
import type { JsonRpcError } from "../../task/record.ts";
import type { TaskStatus } from "../../task/status.ts";
import { INTERNAL_ERROR } from "../client_errors.ts";

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

/** Who is called with what clients are not shown. */
export type OnError = ((error: unknown) => void) | undefined;

/** Calls `onError`, which must not make errors of its own. */
export function report(onError: OnError, error: unknown): void {
  try {
    onError?.(error);
  } catch {
    // There is no one left to tell.
  }
}

/**
 * The error a client may see: a failure of the storage in one sentence, with
 * what the storage said as its `cause`; any other error is left as it is.
 */
export function withoutDetails(error: unknown): unknown {
  if (error instanceof TaskStorageError) {
    const { record } = error;
    return new TaskStorageError(STORAGE_FAILED, { cause: error, record });
  }
  return error instanceof StorageError
    ? new TaskStorageError(STORAGE_FAILED, { cause: error })
    : error;
}

/** Reports an error if it is the server's own; returns what may be shown. */
export function shownError(onError: OnError, error: unknown): unknown {
  if (isServersOwn(error)) report(onError, error);
  return withoutDetails(error);
}

/** Whether an error says more of the server than of the request. */
function isServersOwn(error: unknown): boolean {
  if (error instanceof TaskFailedError) return false;
  return error instanceof StorageError ||
    error instanceof AnonymousOwnerError ||
    error instanceof TaskError && error.code === INTERNAL_ERROR;
}

const STORAGE_FAILED = "the task storage failed";
