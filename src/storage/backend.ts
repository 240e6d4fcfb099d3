/**
 * The storage contract: versioned strings under `owner:task` keys, with an
 * expiry, an order and nothing else. Whoever implements it keeps every promise
 * written here; `tests/support/suite/backend_suite.ts` holds them all to it.
 *
 * @module
 */

/** A record and the version it stands at. */
export interface VersionedRecord {
  /** The record's text, exactly as it was written. */
  readonly data: string;
  /** 1 for a new record, one more after every successful write. */
  readonly version: number;
}

/** A record of a list, with its key. */
export interface KeyedRecord extends VersionedRecord {
  /** The record's key, as {@linkcode makeKey} made it. */
  readonly key: string;
}

/**
 * What the backend must know of a record besides its text. Where it is not
 * given, the backend reads `expiresAt` and `task.createdAt` (RFC 3339) from
 * the text if that is JSON; text that is not JSON has neither.
 */
export interface RecordMeta {
  /** When the record ends, in epoch milliseconds; left out: never. */
  readonly expiresAt?: number | undefined;
  /**
   * The record's place in its owner's lists, in epoch milliseconds; left out:
   * the place it has, or the time of the first write.
   */
  readonly createdAt?: number | undefined;
}

/** Options of {@linkcode StorageBackend.create}. */
export interface CreateOptions {
  /** Expiry and creation time; left out: read from the data. */
  readonly meta?: RecordMeta | undefined;
  /** The most live records its owner may have, this one included. */
  readonly maxRecords?: number | undefined;
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
 * const version = await backend.create(key, "queued", { maxRecords: 100 });
 * await backend.putIfVersion(key, "running", version);
 * assertEquals(await backend.get(key), { data: "running", version: 2 });
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
   * Writes a record whatever stands there, its expiry included: without an
   * expiry in `meta` (or, without `meta`, in the data) it never expires.
   *
   * @returns The new version: 1 for a new or expired key.
   */
  put(key: string, data: string, meta?: RecordMeta): Promise<number>;

  /**
   * Writes a record if it stands at the version expected: compare-and-swap.
   *
   * @param expected The version the caller has read, an integer from 1.
   * @returns The new version, `expected + 1`.
   * @throws {VersionConflictError} If it stands at another version; `actual`
   * is 0 if it is absent or has expired.
   */
  putIfVersion(
    key: string,
    data: string,
    expected: number,
    meta?: RecordMeta,
  ): Promise<number>;

  /** Deletes a record; `true` if it was there. */
  delete(key: string): Promise<boolean>;

  /**
   * Reads all live records of an owner, oldest first. It costs what the owner
   * has: use {@linkcode StorageBackend.listPage} where that has no bound.
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
   * owner's quota and the write are one atomic step.
   *
   * @returns The new version, 1.
   * @throws {VersionConflictError} With `expected` 0, if it exists.
   * @throws {CapacityExceededError} If the owner has `maxRecords` live ones.
   */
  create(key: string, data: string, options?: CreateOptions): Promise<number>;

  /**
   * Reads one page of an owner's records. A cursor is a place in the order,
   * not a record: it stays good while records come and go, and following it
   * repeats none and skips none that was there all along.
   *
   * @param prefix The owner's prefix, as `makePrefix` makes it.
   * @throws {InvalidCursorError} If the cursor is not one of this order.
   */
  listPage(prefix: string, options?: ListPageOptions): Promise<RecordPage>;

  /**
   * Yields the record as it stands, then every later version; where several
   * follow each other quickly, the last of them. Ends when the record is
   * deleted or expires.
   *
   * @throws {NotFoundError} At the first step, if there is no record.
   */
  watch(key: string, options?: WatchOptions): AsyncIterable<VersionedRecord>;

  /**
   * Releases what the backend opened, and ends its watches. Every later call
   * but `close` is a `BackendError`.
   */
  close(): Promise<void>;
}
