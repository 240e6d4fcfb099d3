/**
 * The values that `@modelcontextprotocol/server/ext/tasks` hands to a task store and takes
 * from it, by shape, as pull request 2782 of the TypeScript SDK has it. The SDK
 * is never imported, not even for its types; a test compares both where it is
 * published.
 *
 * @module
 */

import type { TaskStatus } from "../../task/status.ts";

/** The request for a new task. */
export interface ExtCreateTaskParams {
  /** The task's life, in milliseconds; `null`: without an end. */
  ttlMs: number | null;
  /** The time between two looks of a client, in milliseconds. Default: as the `TaskStore` says. */
  pollIntervalMs?: number | undefined;
  /** The maker of the request, as the SDK sees it: the *client id* of its token. */
  principal?: string | undefined;
  /** Whatever the server needs to do the work, JSON. */
  context?: Record<string, unknown> | undefined;
}

/** The maker of a request about a task, as the SDK sees it. */
export interface ExtTaskAccess {
  /** The *client id* of the request's token; left out without one. */
  principal?: string | undefined;
}

/** A task, as the wire shows it. */
export interface ExtTask {
  /** Unique and not to be guessed. */
  taskId: string;
  /** The state. */
  status: TaskStatus;
  /** A text about it for a person. */
  statusMessage?: string;
  /** RFC 3339, with milliseconds. */
  createdAt: string;
  /** RFC 3339, with milliseconds. */
  lastUpdatedAt: string;
  /** The task's life, in milliseconds; `null`: without an end. */
  ttlMs: number | null;
  /** The time between two looks of a client, in milliseconds. */
  pollIntervalMs?: number;
}

/** A task with what belongs to its state. */
export type ExtDetailedTask =
  & ExtTask
  & (
    | { status: "working" }
    | { status: "input_required"; inputRequests: ExtInputRequests }
    | { status: "completed"; result: Record<string, unknown> }
    | { status: "failed"; error: Record<string, unknown> }
    | { status: "cancelled" }
  );

/** Requests to the client by key: elicitation, sampling or roots. */
// deno-lint-ignore no-explicit-any
export type ExtInputRequests = Record<string, any>;

/** The client's answers by key, as they came: check them like any input. */
// deno-lint-ignore no-explicit-any
export type ExtInputResponses = Record<string, any>;

/** The error of a JSON-RPC response. */
export interface ExtTaskError {
  /** The JSON-RPC code. */
  code: number;
  /** The error. */
  message: string;
  /** More about it. */
  data?: unknown;
}

/**
 * The side of a task that does the work. What it writes to a task that has
 * ended or is gone is ignored. A promise of its methods need not be awaited: a
 * rejection then ends no process.
 */
export interface ExtTaskHandle {
  /** The id of the task. */
  readonly taskId: string;
  /**
   * Aborts when the result is no longer wanted or can no longer be stored: the
   * task was cancelled on any instance, is gone, has lost its lease, or the
   * store was closed. Its reason is the error that says so.
   */
  readonly signal: AbortSignal;
  /**
   * Says what the task is doing, for a person to read.
   *
   * @throws {LeaseHeldError} If another process works on the task.
   */
  status(message: string): Promise<void>;
  /**
   * Asks the client and waits for all the answers, which may arrive on any
   * instance and in parts; the first answer to a key counts. Several calls may
   * wait at once. On the wire, a key that was used before in this task gets a
   * number, since clients answer a key once; the answers have the caller's own
   * keys.
   *
   * @throws The reason of `signal`, if that aborts first.
   * @throws {TypeError} If nothing is asked.
   */
  requireInput(requests: ExtInputRequests): Promise<ExtInputResponses>;
  /**
   * Completes the task. While the storage fails, the write is tried again for
   * as long as the lease holds. A result that cannot be stored, because JSON
   * cannot hold it or it is too large, fails the task and says why.
   *
   * @throws {LeaseHeldError} If another process works on the task.
   */
  // deno-lint-ignore no-explicit-any
  complete(result: Record<string, any>): Promise<void>;
  /**
   * Fails the task with the error its request would have been answered with;
   * the rest is as for `complete`.
   */
  fail(error: ExtTaskError): Promise<void>;
}
