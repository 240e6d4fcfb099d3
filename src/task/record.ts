/**
 * The stored record of a task: that of the Rust crate pmcp-tasks, and what the
 * second protocol era and runs add to it.
 */

import type { TaskStatus } from "./status.ts";

/** A task as MCP 2025-11-25 shows it to its client. */
export interface Task {
  /** Unique and not to be guessed. */
  readonly taskId: string;
  /** The state. */
  readonly status: TaskStatus;
  /** A message for people about its state. */
  readonly statusMessage?: string;
  /** RFC 3339, with milliseconds. */
  readonly createdAt: string;
  /** RFC 3339, with milliseconds. */
  readonly lastUpdatedAt: string;
  /** The TTL, in milliseconds; `null`: without an end. */
  readonly ttl: number | null;
  /** The time a client should wait between two looks, in milliseconds. */
  readonly pollInterval?: number;
}

/** The error of a JSON-RPC response. */
export interface JsonRpcError {
  /** The JSON-RPC code. */
  readonly code: number;
  /** A sentence about the fault. */
  readonly message: string;
  /** More about it. */
  readonly data?: unknown;
}

/**
 * The lease of a worker on a task. The storage keeps it beside the record and
 * judges it by its own clock; what it says of time is an estimate, as of the
 * moment the record was read or the lease was asked for.
 */
export interface TaskLease {
  /** The worker's own name. */
  readonly holder: string;
  /** The number of this acquisition, for {@linkcode TaskUpdate.fence}. */
  readonly fence: number;
  /** The time the lease had left, in milliseconds. */
  readonly remainingMs: number;
  /** The time at which the lease runs out unless renewed, by this instance's clock, RFC 3339. */
  readonly expiresAt: string;
}

/** The lease a task was failed for: its worker had not renewed it. */
export interface LostLease {
  /** The name of the worker. */
  readonly holder: string;
  /** When the task was failed, RFC 3339. */
  readonly lostAt: string;
}

/**
 * A task with all that is stored of it. Fields this library does not know are
 * kept as they are. Everything is JSON; treat it as immutable.
 */
export interface TaskRecord {
  /** The task as its client sees it. */
  readonly task: Task;
  /** The person or account that may see it. */
  readonly ownerId: string;
  /** State the server and its client share. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** The result of the request; `null` while there is none. */
  readonly result: unknown;
  /** The MCP method that made the task, such as `tools/call`. */
  readonly requestMethod: string;
  /** When the task ends, RFC 3339; `null`: never. */
  readonly expiresAt: string | null;
  /** Why the request failed. */
  readonly error?: JsonRpcError;
  /** The questions the client is asked, by key, while `input_required`. */
  readonly inputRequests?: Readonly<Record<string, unknown>>;
  /** The client's answers, by key. */
  readonly inputResponses?: Readonly<Record<string, unknown>>;
  /** Set when the task was failed for a lost worker. */
  readonly lostLease?: LostLease;
  /** Tells two requests under one chosen id apart. */
  readonly requestFingerprint?: string;
  /**
   * A random name of this task alone, made with it: it tells two tasks apart
   * that had one id after another. Records of other programs have none.
   */
  readonly runId?: string;
  /**
   * The place of the task after others that its process made in the same
   * millisecond, in microseconds; left out for the first.
   */
  readonly createdOrder?: number;
  /** The lease on it, while it has not ended; not part of the data. */
  readonly lease?: TaskLease;
  /** The version the record was read or written at; not part of the data. */
  readonly version: number;
  /**
   * The name of the write it was read from or written by; empty where another
   * program wrote it. Not part of the data.
   */
  readonly etag: string;
}

/** The fields in a record's data: all but what the storage says of it. */
export type RecordFields = Omit<TaskRecord, "version" | "etag" | "lease">;

/**
 * Whether two records are of one task, and not of two that had one id after
 * another.
 */
export function isSameTask(a: TaskRecord, b: TaskRecord): boolean {
  // Another program may have rewritten ours without what it does not know.
  return a.runId !== undefined && b.runId !== undefined
    ? a.runId === b.runId
    : Date.parse(a.task.createdAt) === Date.parse(b.task.createdAt);
}
