/** The options of `TaskStore` and of its methods. */

import type { TaskLimits } from "./limits.ts";
import type { JsonRpcError, TaskRecord } from "./record.ts";
import type { EncryptionOptions } from "./seal.ts";
import type { TaskStatus } from "./status.ts";

/** Options of a {@linkcode TaskStore}. */
export interface TaskStoreOptions {
  /** What the store allows. */
  readonly limits?: TaskLimits;
  /** Whether the owners `""` and `"local"` are allowed. Default: `false`. */
  readonly allowAnonymous?: boolean;
  /** The poll interval of a task that asks for none, in milliseconds. Default: 500. */
  readonly pollIntervalMs?: number;
  /**
   * Where the TTL counts from: `"creation"` (default), or again from the final
   * state with `"completion"`, as the store of the 2025-11-25 SDK does.
   */
  readonly retention?: "creation" | "completion";
  /** Seals what may be private. Default: nothing is sealed. */
  readonly encryption?: EncryptionOptions;
  /** How often a write that others overtake is tried. Default: 100. */
  readonly maxWriteAttempts?: number;
  /** The time, in epoch milliseconds. Default: `Date.now`. */
  readonly clock?: () => number;
}

/** Options of {@linkcode TaskStore.create}. */
export interface CreateTaskOptions {
  /** How long the task lives, in milliseconds; `null`: without an end. Default: `limits.defaultTtlMs`. */
  readonly ttlMs?: number | null | undefined;
  /** How long a client should wait between two looks, in milliseconds. */
  readonly pollIntervalMs?: number | undefined;
  /** An id of the caller's own, which makes the call idempotent. */
  readonly taskId?: string | undefined;
  /** The request itself, JSON: with `taskId`, tells two requests apart. */
  readonly request?: unknown;
  /** First variables. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** A first message. */
  readonly statusMessage?: string | undefined;
  /** Who works on it from the first moment; see {@linkcode TaskStore.lease}. */
  readonly lease?: LeaseOptions | undefined;
}

/** What one write may change, all at once. */
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
  /** What the client is asked, all of it; `null`: nothing. */
  readonly inputRequests?: Readonly<Record<string, unknown>> | null | undefined;
  /** What the client has answered, all of it; `null`: nothing. */
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
  /** Where to go on: the `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** The most tasks on the page, 1 to 1,000. Default: 50. */
  readonly limit?: number | undefined;
  /** Which end to begin at. Default: `"newest"`. */
  readonly order?: "newest" | "oldest" | undefined;
  /** Whether only tasks that have not ended are listed. Default: `false`. */
  readonly active?: boolean | undefined;
}

/** One page of an owner's tasks. */
export interface TaskPage {
  /** The tasks of this page. */
  readonly tasks: readonly TaskRecord[];
  /** Where the next page begins; left out on the last page. */
  readonly nextCursor?: string;
}

/** Options of {@linkcode TaskStore.lease} and {@linkcode TaskStore.renew}. */
export interface LeaseOptions {
  /** How long the lease holds, in milliseconds, an integer from 1. */
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
