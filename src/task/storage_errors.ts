/** Errors of the storage in the words of the task domain. */

import {
  BackendError,
  CapacityExceededError,
  InvalidCursorError,
  InvalidDataError,
  StorageError,
} from "../storage/errors.ts";
import { TaskCursorError, TaskStorageError } from "./errors.ts";
import { ResourceExhaustedError } from "./limit_errors.ts";
import type { DamagedTask } from "./options.ts";
import { idText } from "./quoted.ts";
import type { TaskRecord } from "./record.ts";

/**
 * Makes a storage error the domain's; any other error is left as it is.
 *
 * @param record The record that is stored although the write failed.
 */
export function toTaskError(
  error: unknown,
  taskId: string,
  record?: TaskRecord,
): unknown {
  if (!(error instanceof StorageError)) return error;
  if (error instanceof CapacityExceededError) return exhausted(error, taskId);
  if (error instanceof InvalidCursorError) {
    return new TaskCursorError(error.cursor, { cause: error });
  }
  return new TaskStorageError(error.message, { cause: error, record });
}

function exhausted(
  error: CapacityExceededError,
  taskId: string,
): ResourceExhaustedError {
  const { unit, actual, limit } = error;
  const cause = { cause: error };
  switch (unit) {
    case "records":
      return new ResourceExhaustedError(
        `the owner has ${actual} live tasks of at most ${limit} (maxTasksPerOwner)`,
        "wait for tasks to expire, or delete some",
        cause,
      );
    case "active":
      return new ResourceExhaustedError(
        `the owner has ${actual} active tasks of at most ${limit} (maxActiveTasksPerOwner)`,
        "wait for tasks to end, or cancel some",
        cause,
      );
    case "bytes":
      return new ResourceExhaustedError(
        `the record of task ${
          idText(taskId)
        } would have ${actual} bytes, over the limit of ${limit}`,
        "store large results elsewhere and return a reference",
        cause,
      );
  }
}

/**
 * Names a record of a list that cannot be read.
 *
 * @throws The error, if it says anything else than that.
 */
export function damagedTask(key: string, error: unknown): DamagedTask {
  const cause = error instanceof TaskStorageError ? error.cause : error;
  if (!(cause instanceof InvalidDataError)) throw error;
  return {
    taskId: key.slice(key.indexOf(":") + 1),
    error: new TaskStorageError(cause.message, { cause }),
  };
}

/** Whether a failed write is stored all the same. */
export function isStored(error: unknown): error is BackendError {
  return error instanceof BackendError && error.outcome === "applied";
}

/** Returns the record that a failed write has stored; `undefined`: none, or not known. */
export function storedAs(
  error: unknown,
  record: TaskRecord,
  etag: string,
): TaskRecord | undefined {
  if (!isStored(error)) return undefined;
  return { ...record, version: error.version ?? record.version + 1, etag };
}
