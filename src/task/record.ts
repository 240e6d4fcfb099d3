/**
 * What is stored of a task: the record of the Rust crate pmcp-tasks, and what
 * the second protocol era and leases add to it.
 */

import type { TaskStatus } from "./status.ts";

/** A task as MCP 2025-11-25 shows it to its client. */
export interface Task {
  /** Unique and not to be guessed. */
  readonly taskId: string;
  /** The state. */
  readonly status: TaskStatus;
  /** What a person may read about it. */
  readonly statusMessage?: string;
  /** RFC 3339, with milliseconds. */
  readonly createdAt: string;
  /** RFC 3339, with milliseconds. */
  readonly lastUpdatedAt: string;
  /** How long the task lives, in milliseconds; `null`: for ever. */
  readonly ttl: number | null;
  /** How long a client should wait between two looks, in milliseconds. */
  readonly pollInterval?: number;
}

/** The error of a JSON-RPC response. */
export interface JsonRpcError {
  /** The JSON-RPC code. */
  readonly code: number;
  /** What went wrong. */
  readonly message: string;
  /** More about it. */
  readonly data?: unknown;
}

/** Who works on a task, and until when that holds. */
export interface TaskLease {
  /** The worker's own name. */
  readonly holder: string;
  /** When the lease runs out unless renewed, RFC 3339. */
  readonly expiresAt: string;
  /** Set when it has run out and the task was failed for it, RFC 3339. */
  readonly lostAt?: string;
}

/**
 * A task with all that is stored of it. Fields this library does not know are
 * kept as they are. Everything is JSON; treat it as immutable.
 */
export interface TaskRecord {
  /** The task as its client sees it. */
  readonly task: Task;
  /** Who may see it. */
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
  /** What the client is asked, by key, while `input_required`. */
  readonly inputRequests?: Readonly<Record<string, unknown>>;
  /** What the client has answered, by key. */
  readonly inputResponses?: Readonly<Record<string, unknown>>;
  /** Who works on it. */
  readonly lease?: TaskLease;
  /** Tells two requests under one chosen id apart. */
  readonly requestFingerprint?: string;
  /** The version the record was read or written at; not part of the data. */
  readonly version: number;
}
