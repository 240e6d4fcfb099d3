/**
 * The storage contract: versioned strings under `owner:task` keys, with an
 * expiry, an order, leases, steps and nothing else. Every implementation keeps
 * every promise written here; `tests/support/suite/backend_suite.ts` checks it.
 *
 * @module
 */

import type { DueStorage } from "./due.ts";
import type { LeaseStorage } from "./leases.ts";
import type { MessageQueue } from "./message_queue.ts";
import type { StepStorage } from "./steps.ts";
import type {
  CreateOptions,
  DeleteOptions,
  ExpectedRecord,
  KeyedRecord,
  ListPageOptions,
  PutIfVersionOptions,
  RecordPage,
  VersionedRecord,
  WatchOptions,
  WriteOptions,
} from "./record.ts";

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
 * recognized by it, also after other writes: it is applied at most once, and
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
