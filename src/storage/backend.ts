/**
 * The storage contract: versioned strings under `owner:task` keys, with an
 * expiry, an order, leases, steps and nothing else. Every implementation keeps
 * every promise written here; `tests/support/suite/backend_suite.ts` checks it.
 *
 * @module
 */

import type { DueStorage } from "./due.ts";
import type { LeaseState, LeaseStorage } from "./leases.ts";
import type { MessageQueue } from "./message_queue.ts";
import type { StepStorage } from "./steps.ts";

/** A record, its version, and who works on it. */
export interface VersionedRecord {
  /** The record's text, exactly as it was written. */
  readonly data: string;
  /** 1 for a new record, one more after every successful write. */
  readonly version: number;
  /**
   * The operation id of the latest write. It never recurs, not after a
   * deletion, an expiry or a new life of the key. Empty where a writer that
   * keeps no ids (the crate pmcp-tasks) wrote last.
   */
  readonly etag: string;
  /** The lease on the record, from `acquire` until `release`, lapsed or not. */
  readonly lease?: LeaseState;
}

/**
 * The record a conditional write expects: its version, or the version and the
 * etag as they were read. With an etag the condition is exact: a record of a
 * later life never meets it. By version alone, a record that was deleted and
 * recreated may.
 */
export type ExpectedRecord = number | {
  /** The version the caller has read, an integer from 1. */
  readonly version: number;
  /** The etag the caller has read; left out or empty: any. */
  readonly etag?: string | undefined;
  /**
   * What the caller knows of the record as it is: a hint, which spares an
   * engine that keeps records in order from looking it up.
   */
  readonly meta?: RecordMeta | undefined;
};

/** A record of a list, with its key. */
export interface KeyedRecord extends VersionedRecord {
  /** The record's key, as {@linkcode makeKey} made it. */
  readonly key: string;
}

/**
 * What the backend must know of a record besides its text. Where none of the
 * three is given, the backend reads `expiresAt` and `task.createdAt`
 * (RFC 3339) from the text if that is JSON; text that is not JSON has neither.
 */
export interface RecordMeta {
  /** When the record ends, in epoch milliseconds; left out: never. */
  readonly expiresAt?: number | undefined;
  /**
   * The record's place in its owner's lists, in epoch milliseconds; left out:
   * the place it has, or the time of the first write. It may have a fraction,
   * so that records made within one millisecond keep their order.
   */
  readonly createdAt?: number | undefined;
  /** Whether the record counts as active: see `maxActive`. Default: `false`. */
  readonly active?: boolean | undefined;
}

/** Options of every write of a record. */
export interface WriteOptions extends RecordMeta {
  /**
   * The name of this write, 8 to 64 characters of `A-Z a-z 0-9 _ -`, random
   * enough never to recur; it becomes the record's etag. Default: 64 random
   * bits.
   */
  readonly operationId?: string | undefined;
}

/** Options of {@linkcode StorageBackend.putIfVersion}. */
export interface PutIfVersionOptions extends WriteOptions {
  /**
   * The fence of the lease the writer relies on: the write is refused unless
   * that lease still holds.
   */
  readonly fence?: number | undefined;
  /** Whether the write also releases that lease. Default: `false`. */
  readonly releaseLease?: boolean | undefined;
}

/** Options of {@linkcode StorageBackend.create}. */
export interface CreateOptions {
  /** Expiry, creation time, activity and name of the write. */
  readonly meta?: WriteOptions | undefined;
  /** The most live records its owner may have, this one included. */
  readonly maxRecords?: number | undefined;
  /**
   * The most active records its owner may have, this one included. It bounds
   * only the creation of active records.
   */
  readonly maxActive?: number | undefined;
}

/** Options of {@linkcode StorageBackend.delete}. */
export interface DeleteOptions {
  /** What the caller has read; left out: whatever is stored is deleted. */
  readonly expected?: ExpectedRecord | undefined;
  /** The name of this deletion; see {@linkcode WriteOptions}. */
  readonly operationId?: string | undefined;
}

/** The order of a page: by creation time, then by task id. */
export type PageOrder = "newest" | "oldest";

/** Options of {@linkcode StorageBackend.listPage}. */
export interface ListPageOptions {
  /** Where to go on: the `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** The most records on the page, 1 to 1,000. Default: 50. */
  readonly limit?: number | undefined;
  /** Which end to begin at. Default: `"newest"`. */
  readonly order?: PageOrder | undefined;
  /** Whether only active records are listed. Default: `false`. */
  readonly active?: boolean | undefined;
}

/** One page of an owner's records. */
export interface RecordPage {
  /** The live records of this page, in order. */
  readonly records: readonly KeyedRecord[];
  /** Where the next page begins; left out on the last page. */
  readonly nextCursor?: string;
}

/** Options of {@linkcode StorageBackend.watch}. */
export interface WatchOptions {
  /** Ends the watch: the iteration throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Durable storage of versioned records.
 *
 * Every method throws `InvalidKeyError` for a malformed key, `RangeError` or
 * `TypeError` for a malformed argument, both before anything is sent, and
 * `BackendError` when the engine fails or the backend is closed. A write also
 * throws `InvalidDataError` for data that UTF-8 cannot hold or a damaged
 * record in its place, and `CapacityExceededError` for data over the backend's
 * `maxRecordBytes`.
 *
 * Every write has a name, its operation id. A write that is tried again is
 * recognized by it, whoever has written since: it is applied at most once, and
 * the answer says what it did. Where that can no longer be decided, or the
 * time for it has run out, the answer is a `BackendError` with the `outcome`
 * `"unknown"`, never an invented conflict or success.
 *
 * A record whose expiry has passed is absent to every method at once. A write
 * whose expiry has already passed succeeds and leaves no record.
 *
 * @example Write, compare and swap
 * ```ts
 * import { makeKey, MemoryBackend, type StorageBackend } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using backend: StorageBackend = new MemoryBackend();
 * const key = makeKey("alice", "t-1");
 * await backend.create(key, "queued", { maxRecords: 100 });
 * const read = await backend.get(key);
 * await backend.putIfVersion(key, "running", read); // its version and etag
 * const { data, version } = await backend.get(key);
 * assertEquals([data, version], ["running", 2]);
 * ```
 */
export interface StorageBackend extends AsyncDisposable {
  /**
   * Reads a record.
   *
   * @throws {NotFoundError} If there is none, or it has expired.
   */
  get(key: string): Promise<VersionedRecord>;

  /**
   * Writes a record whatever is stored, its expiry included: without an expiry
   * in `meta` (or, without `meta`, in the data) it never expires. A lease and
   * steps of the record stay.
   *
   * @returns The new version: 1 for a new or expired key.
   */
  put(key: string, data: string, meta?: WriteOptions): Promise<number>;

  /**
   * Writes a record if it is the one expected: compare-and-swap.
   *
   * @param expected The version, or version and etag, the caller has read.
   * @returns The new version, one more than the expected one.
   * @throws {VersionConflictError} If it is another; `actual` is 0 if it is
   * absent or has expired.
   * @throws {FencedError} If `meta.fence` is given and that lease has ended.
   */
  putIfVersion(
    key: string,
    data: string,
    expected: ExpectedRecord,
    meta?: PutIfVersionOptions,
  ): Promise<number>;

  /**
   * Deletes a record with its lease and steps; `true` if it was there.
   *
   * @throws {VersionConflictError} If `options.expected` is given and another
   * record is stored.
   */
  delete(key: string, options?: DeleteOptions): Promise<boolean>;

  /**
   * Reads all live records of an owner, oldest first. Its cost grows with the
   * owner's records: use {@linkcode StorageBackend.listPage} where that has no
   * bound.
   *
   * @param prefix The owner's prefix, as `makePrefix` makes it.
   */
  listByPrefix(prefix: string): Promise<KeyedRecord[]>;

  /**
   * Frees what expired records still hold.
   *
   * @returns How many records were removed; always 0 where the engine expires
   * them by itself, as Redis does.
   */
  cleanupExpired(): Promise<number>;

  /**
   * Writes a record that must not exist yet. The check for it, for the
   * owner's quotas and the write are one atomic step.
   *
   * @returns The new version, 1.
   * @throws {VersionConflictError} With `expected` 0, if it exists.
   * @throws {CapacityExceededError} If the owner has `maxRecords` live or
   * `maxActive` active ones.
   */
  create(key: string, data: string, options?: CreateOptions): Promise<number>;

  /**
   * Reads one page of an owner's records. A cursor is a place in the order,
   * not a record: it stays valid while records come and go, and following it
   * repeats none and skips none that was there all along.
   *
   * @param prefix The owner's prefix, as `makePrefix` makes it.
   * @throws {InvalidCursorError} If the cursor is not one of this order.
   */
  listPage(prefix: string, options?: ListPageOptions): Promise<RecordPage>;

  /**
   * Yields the record as it is, then every later version; where several follow
   * each other quickly, the last of them. Ends when the record is deleted or
   * expires. A lease that is taken or renewed is no new version.
   *
   * @throws {NotFoundError} At the first step, if there is no record.
   */
  watch(key: string, options?: WatchOptions): AsyncIterable<VersionedRecord>;

  /** Queues of messages beside the records, if the backend has them. */
  readonly queues?: MessageQueue;

  /** Leases on records, if the backend has them. */
  readonly leases?: LeaseStorage;

  /** Recorded steps of records, if the backend has them. */
  readonly steps?: StepStorage;

  /** Hints that a record wants a worker, if the backend has them. */
  readonly due?: DueStorage;

  /**
   * Releases what the backend opened, and ends its watches. Every later call
   * but `close` is a `BackendError`.
   */
  close(): Promise<void>;
}
