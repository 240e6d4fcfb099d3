/**
 * Every error of the task domain, each with the JSON-RPC code a server answers
 * with.
 *
 * @module
 */

import { idText, quoted } from "./quoted.ts";
import type { TaskRecord } from "./record.ts";
import type { TaskStatus } from "./status.ts";

/** JSON-RPC: the request named something that is not so. */
const INVALID_PARAMS = -32602;
/** JSON-RPC: the server could not. */
const INTERNAL_ERROR = -32603;

/**
 * The class every error of a `TaskStore` belongs to.
 *
 * @example Answer a JSON-RPC request
 * ```ts
 * import { createTaskStore, TaskError } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await createTaskStore();
 * try {
 *   await store.get("no-such-task", "alice");
 * } catch (error) {
 *   assertEquals(error instanceof TaskError && error.code, -32602);
 * }
 * ```
 */
export class TaskError extends Error {
  /** The JSON-RPC error code. */
  readonly code: number;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param code The JSON-RPC error code.
   * @param message What was tried, on what, and what was expected.
   * @param options `cause`: the error underneath.
   */
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** There is no such task for this owner: missing, foreign or expired. */
export class TaskNotFoundError extends TaskError {
  /** The task id asked for. */
  readonly taskId: string;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The task id asked for.
   */
  constructor(taskId: string) {
    super(INVALID_PARAMS, `task not found: ${quoted(taskId)}`);
    this.name = "TaskNotFoundError";
    this.taskId = taskId;
  }
}

/** The task a caller holds a record of has come to the end of its TTL. */
export class TaskExpiredError extends TaskError {
  /** The id of the task. */
  readonly taskId: string;
  /** When it ended, RFC 3339. */
  readonly expiredAt: string;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The id of the task.
   * @param expiredAt When it ended, RFC 3339.
   */
  constructor(taskId: string, expiredAt: string) {
    super(INVALID_PARAMS, `task ${idText(taskId)} expired at ${expiredAt}`);
    this.name = "TaskExpiredError";
    this.taskId = taskId;
    this.expiredAt = expiredAt;
  }
}

/** A chosen task id is taken by another request. */
export class TaskExistsError extends TaskError {
  /** The id that is taken. */
  readonly taskId: string;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The id that is taken.
   */
  constructor(taskId: string) {
    super(
      INVALID_PARAMS,
      `task ${idText(taskId)} exists already, made by another request`,
    );
    this.name = "TaskExistsError";
    this.taskId = taskId;
  }
}

/** The task's state does not allow what was asked; final states allow nothing. */
export class InvalidTransitionError extends TaskError {
  /** The id of the task. */
  readonly taskId: string;
  /** The state it is in. */
  readonly from: TaskStatus;
  /** The state asked for; `from` itself for a write that keeps the state. */
  readonly to: TaskStatus;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The id of the task.
   * @param from The state it is in.
   * @param to The state asked for.
   * @param message Default: names all three.
   */
  constructor(
    taskId: string,
    from: TaskStatus,
    to: TaskStatus,
    message: string = from === to
      ? `task ${idText(taskId)} is ${from}: it cannot be changed so`
      : `task ${idText(taskId)} is ${from}: it cannot become ${idText(to)}`,
  ) {
    super(INVALID_PARAMS, message);
    this.name = "InvalidTransitionError";
    this.taskId = taskId;
    this.from = from;
    this.to = to;
  }
}

/** The task was cancelled: why the signal of its worker is aborted. */
export class TaskCancelledError extends TaskError {
  /** The id of the task. */
  readonly taskId: string;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The id of the task.
   * @param statusMessage What was said about it.
   */
  constructor(taskId: string, statusMessage?: string) {
    super(
      INVALID_PARAMS,
      `task ${idText(taskId)} was cancelled${
        statusMessage ? `: ${quoted(statusMessage)}` : ""
      }`,
    );
    this.name = "TaskCancelledError";
    this.taskId = taskId;
  }
}

/** The task is not in a final state yet. */
export class TaskNotReadyError extends TaskError {
  /** The id of the task. */
  readonly taskId: string;
  /** The state it is in. */
  readonly status: TaskStatus;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The id of the task.
   * @param status The state it is in.
   */
  constructor(taskId: string, status: TaskStatus) {
    super(
      INVALID_PARAMS,
      `task ${idText(taskId)} is ${status}: it has no result yet`,
    );
    this.name = "TaskNotReadyError";
    this.taskId = taskId;
    this.status = status;
  }
}

/** `waitFor` ran out of time. */
export class TaskTimeoutError extends TaskError {
  /** The id of the task. */
  readonly taskId: string;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The id of the task.
   * @param timeoutMs How long was waited, in milliseconds.
   * @param status The state it is still in; `undefined`: the storage has not
   * said it in time.
   */
  constructor(
    taskId: string,
    timeoutMs: number,
    status: TaskStatus | undefined,
  ) {
    super(
      INTERNAL_ERROR,
      status === undefined
        ? `the state of task ${
          idText(taskId)
        } is still unknown after ${timeoutMs} ms`
        : `task ${idText(taskId)} is still ${status} after ${timeoutMs} ms`,
    );
    this.name = "TaskTimeoutError";
    this.taskId = taskId;
  }
}

/** An owner that names no one, where the store does not allow it. */
export class AnonymousOwnerError extends TaskError {
  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param ownerId The owner refused.
   */
  constructor(ownerId: string) {
    super(
      INVALID_PARAMS,
      `owner ${
        quoted(ownerId)
      } is anonymous: name who is authenticated (forOwner, defaultOwner or resolveOwner of an SdkTaskStore), or set allowAnonymous`,
    );
    this.name = "AnonymousOwnerError";
  }
}

/** A page cursor that is not one of this list. */
export class TaskCursorError extends TaskError {
  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param cursor The cursor refused.
   * @param options `cause`: the storage's own error.
   */
  constructor(cursor: string, options?: ErrorOptions) {
    super(INVALID_PARAMS, `invalid cursor: ${quoted(cursor)}`, options);
    this.name = "TaskCursorError";
  }
}

/** Others kept writing the task first, time and again. */
export class ConcurrentModificationError extends TaskError {
  /** The id of the task. */
  readonly taskId: string;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The id of the task.
   * @param attempts How often the write was tried.
   * @param options `cause`: the last conflict.
   */
  constructor(taskId: string, attempts: number, options?: ErrorOptions) {
    super(
      INTERNAL_ERROR,
      `task ${
        idText(taskId)
      } was changed by others at each of ${attempts} attempts to write it`,
      options,
    );
    this.name = "ConcurrentModificationError";
    this.taskId = taskId;
  }
}

/** The storage underneath failed, or holds a damaged record. */
export class TaskStorageError extends TaskError {
  /**
   * The record a write has stored although it failed: too few replicas have
   * confirmed it. Left out where nothing was stored, or nothing is known.
   */
  readonly record?: TaskRecord;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param message What the storage said.
   * @param options `cause`: the `StorageError`; `record`: what is stored.
   */
  constructor(
    message: string,
    options: ErrorOptions & { record?: TaskRecord | undefined } = {},
  ) {
    super(INTERNAL_ERROR, message, options);
    this.name = "TaskStorageError";
    if (options.record !== undefined) this.record = options.record;
  }
}

/** Makes the error for a task that is no more: expired, as far as one can know. */
export function taskGone(
  taskId: string,
  last: TaskRecord | undefined,
  now: number,
): TaskError {
  return last?.expiresAt != null && Date.parse(last.expiresAt) <= now
    ? new TaskExpiredError(taskId, last.expiresAt)
    : new TaskNotFoundError(taskId);
}
