/** The options of `TaskStore` and of its methods. */

import type { TaskStorageError } from "./errors.ts";
import type { TaskLimits } from "./limits.ts";
import type { JsonRpcError, TaskRecord } from "./record.ts";
import type { EncryptionOptions } from "./seal.ts";
import type { TaskStatus } from "./status.ts";

/** Options of a {@linkcode TaskStore}. */
export interface TaskStoreOptions {
  /** The limits of owners, times and variables. */
  readonly limits?: TaskLimits;
  /** Whether the owners `""` and `"local"` are allowed. Default: `false`. */
  readonly allowAnonymous?: boolean;
  /** The poll interval of a task that asks for none, in milliseconds. Default: 500. */
  readonly pollIntervalMs?: number;
  /**
   * The start of the TTL: `"creation"` (default), or again from the final
   * state with `"completion"`, as the store of the 2025-11-25 SDK does.
   */
  readonly retention?: "creation" | "completion";
  /** Seals what may be private. Default: nothing is sealed. */
  readonly encryption?: EncryptionOptions;
  /** The most tries of a write that others overtake. Default: 100. */
  readonly maxWriteAttempts?: number;
  /** The time, in epoch milliseconds. Default: `Date.now`. */
  readonly clock?: () => number;
}

/** Options of {@linkcode TaskStore.create}. */
export interface CreateTaskOptions {
  /** The TTL, in milliseconds; `null`: without an end. Default: `limits.defaultTtlMs`. */
  readonly ttlMs?: number | null | undefined;
  /** The time a client should wait between two looks, in milliseconds. */
  readonly pollIntervalMs?: number | undefined;
  /** An id of the caller's own, which makes the call idempotent. */
  readonly taskId?: string | undefined;
  /** The request itself, JSON: with `taskId`, tells two requests apart. */
  readonly request?: unknown;
  /** First variables. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** A first message. */
  readonly statusMessage?: string | undefined;
  /** The lease it is under from its first moment; see {@linkcode TaskStore.lease}. */
  readonly lease?: LeaseOptions | undefined;
}

/** The changes of one write, made all at once. */
export interface TaskUpdate {
  /** The new state; left out: it stays. */
  readonly status?: TaskStatus | undefined;
  /** The new message; left out: it stays; `null`: none. */
  readonly statusMessage?: string | null | undefined;
  /** The result; left out: it stays. */
  readonly result?: unknown;
  /** Why the request failed. */
  readonly error?: JsonRpcError | undefined;
  /** New variables; `null` deletes a name. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** The questions the client is asked, all of them; `null`: none. */
  readonly inputRequests?: Readonly<Record<string, unknown>> | null | undefined;
  /**
   * The client's answers, all of them; `null`: none. A task that has ended has
   * none.
   */
  readonly inputResponses?:
    | Readonly<Record<string, unknown>>
    | null
    | undefined;
  /**
   * The fence of the lease the write relies on, of a worker that has one: the
   * write is refused once that lease has ended. Left out: anyone's write.
   */
  readonly fence?: number | undefined;
}

/** Options of {@linkcode TaskStore.list}. */
export interface ListTasksOptions {
  /** The `nextCursor` of the page before. Default: the list begins. */
  readonly cursor?: string | undefined;
  /** The most tasks on the page, 1 to 1,000. Default: 50. */
  readonly limit?: number | undefined;
  /** The end to begin at. Default: `"newest"`. */
  readonly order?: "newest" | "oldest" | undefined;
  /** Whether only tasks that have not ended are listed. Default: `false`. */
  readonly active?: boolean | undefined;
}

/** A task that cannot be read. It can still be deleted. */
export interface DamagedTask {
  /** The id of the task. */
  readonly taskId: string;
  /** The fault of its record. */
  readonly error: TaskStorageError;
}

/** One page of an owner's tasks. */
export interface TaskPage {
  /** The tasks of this page. */
  readonly tasks: readonly TaskRecord[];
  /**
   * Those of this page that cannot be read: damaged, tampered with, or sealed
   * under a key the store has not. Left out where there are none.
   */
  readonly damaged?: readonly DamagedTask[];
  /** The `cursor` of the next page; left out on the last one. */
  readonly nextCursor?: string;
}

/** Options of {@linkcode TaskStore.lease} and {@linkcode TaskStore.renew}. */
export interface LeaseOptions {
  /** The time the lease holds, in milliseconds, an integer from 1. */
  readonly forMs: number;
  /** The worker's own name, unique among workers. */
  readonly holder: string;
}

/** Options of {@linkcode TaskStore.release}. */
export interface ReleaseOptions {
  /** The worker's own name. */
  readonly holder: string;
}

/** A task: its id, or a record of it the caller holds, which saves a read. */
export type TaskRef = string | TaskRecord;
