/**
 * Records and the options of the operations on them, as a storage backend
 * and its parts speak of them.
 *
 * @module
 */

import type { InvalidDataError } from "./errors.ts";

/** A lease as it was read beside its record. */
export interface LeaseState {
  /** The name of the holder. */
  readonly holder: string;
  /** The fence of this acquisition; see `LeaseStorage.acquire`. */
  readonly fence: number;
  /**
   * The time left, in milliseconds, 0 or less once it has run out. An estimate
   * to sleep by: what decides is the storage itself, at each write.
   */
  readonly remainingMs: number;
}

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
   * The caller's knowledge of the record as it is: a hint, which spares an
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
 * The facts a backend must know of a record besides its text. Where none of the
 * three is given, the backend reads `expiresAt` and `task.createdAt` (RFC 3339)
 * from the text if that is JSON; text that is not JSON has neither.
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
   * enough never to recur; it becomes the record's etag. Default: 72 random
   * bits.
   */
  readonly operationId?: string | undefined;
}

/** Options of `StorageBackend.putIfVersion`. */
export interface PutIfVersionOptions extends WriteOptions {
  /**
   * The fence of the lease the writer relies on: the write is refused unless
   * that lease still holds.
   */
  readonly fence?: number | undefined;
  /** Whether the write also releases that lease. Default: `false`. */
  readonly releaseLease?: boolean | undefined;
}

/** Options of `StorageBackend.create`. */
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

/** Options of `StorageBackend.delete`. */
export interface DeleteOptions {
  /**
   * The record the caller has read; left out: whatever is stored is deleted.
   */
  readonly expected?: ExpectedRecord | undefined;
  /** The name of this deletion; see {@linkcode WriteOptions}. */
  readonly operationId?: string | undefined;
}

/** The order of a page: by creation time, then by task id. */
export type PageOrder = "newest" | "oldest";

/** Options of `StorageBackend.listPage`. */
export interface ListPageOptions {
  /** The place to go on: the `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** The most records on the page, 1 to 1,000. Default: 50. */
  readonly limit?: number | undefined;
  /** Which end to begin at. Default: `"newest"`. */
  readonly order?: PageOrder | undefined;
  /** Whether only active records are listed. Default: `false`. */
  readonly active?: boolean | undefined;
  /**
   * Whether records that the engine itself cannot read are named in the page.
   * Default: `false`: the first one is an `InvalidDataError`.
   */
  readonly nameDamaged?: boolean | undefined;
}

/** A record that cannot be read. */
export interface DamagedRecord {
  /** The record's key. */
  readonly key: string;
  /** The error found in it. */
  readonly error: InvalidDataError;
}

/** One page of an owner's records. */
export interface RecordPage {
  /** The live records of this page, in order. */
  readonly records: readonly KeyedRecord[];
  /** Those of this page that cannot be read; left out where there are none. */
  readonly damaged?: readonly DamagedRecord[];
  /** The beginning of the next page; left out on the last page. */
  readonly nextCursor?: string;
}

/** Options of {@linkcode StorageBackend.watch}. */
export interface WatchOptions {
  /** Ends the watch: the iteration throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}
