/**
 * The storage contract inside one process: the embedded default where there
 * is no Redis, and the reference every other backend is compared with.
 *
 * @module
 */

import type {
  CreateOptions,
  KeyedRecord,
  ListPageOptions,
  RecordMeta,
  RecordPage,
  StorageBackend,
  VersionedRecord,
  WatchOptions,
} from "../storage/backend.ts";
import {
  checkCreate,
  checkData,
  checkMeta,
  checkPage,
  checkVersion,
  DEFAULT_MAX_RECORD_BYTES,
  requireInteger,
} from "../storage/checks.ts";
import { encodeCursor } from "../storage/cursor.ts";
import { CloseSignal } from "../util/close_signal.ts";
import {
  BackendError,
  CapacityExceededError,
  NotFoundError,
  VersionConflictError,
} from "../storage/errors.ts";
import { type KeyParts, splitKey, splitPrefix } from "../storage/keys.ts";
import { Owner, type StoredRecord } from "./owner_records.ts";
import { MemoryMessageQueue } from "./memory_message_queue.ts";
import type { MessageQueue } from "../storage/message_queue.ts";
import { type ChangeListener, watchRecord } from "../storage/watch.ts";

/** Options of a {@linkcode MemoryBackend}. */
export interface MemoryBackendOptions {
  /** The largest record, in bytes of UTF-8. Default: 8 MiB. */
  readonly maxRecordBytes?: number;
  /** The time, in epoch milliseconds. Default: `Date.now`. */
  readonly clock?: () => number;
}

/** A write, checked. */
interface Write extends KeyParts {
  readonly key: string;
  readonly data: string;
  readonly meta: RecordMeta;
}

/**
 * A {@linkcode StorageBackend} in the memory of this process.
 *
 * It runs no background timer: expired records are absent at once and their
 * memory is freed by later writes, a few owners at a time, or by
 * `cleanupExpired`. A pending `watch` does not keep the process alive.
 *
 * @example
 * ```ts
 * import { makeKey, makePrefix, MemoryBackend } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using backend = new MemoryBackend();
 * await backend.put(makeKey("alice", "t-1"), "hello");
 * const page = await backend.listPage(makePrefix("alice"), { limit: 10 });
 * assertEquals(page.records, [{ key: "alice:t-1", data: "hello", version: 1 }]);
 * ```
 */
export class MemoryBackend implements StorageBackend {
  readonly #queues: MemoryMessageQueue;
  readonly #owners = new Map<string, Owner>();
  readonly #watchers = new Map<string, Set<ChangeListener>>();
  readonly #closed = new CloseSignal();
  readonly #maxRecordBytes: number;
  readonly #clock: () => number;
  /** Where the sweep of idle owners goes on. */
  #sweep: Iterator<string> = this.#owners.keys();

  /**
   * An empty backend.
   *
   * @param options Limits and the clock.
   * @throws {RangeError} If `maxRecordBytes` is not an integer from 1.
   */
  constructor(
    {
      maxRecordBytes = DEFAULT_MAX_RECORD_BYTES,
      clock = Date.now,
    }: MemoryBackendOptions = {},
  ) {
    requireInteger("maxRecordBytes", maxRecordBytes, 1);
    this.#maxRecordBytes = maxRecordBytes;
    this.#clock = clock;
    this.#queues = new MemoryMessageQueue({
      maxRecordBytes,
      clock,
      requireOpen: () => this.#closed.throwIfClosed(),
      recordEnd: (key) => this.#live(splitKey(key))?.expiresAt,
    });
  }

  /** Queues of messages beside the records. */
  get queues(): MessageQueue {
    return this.#queues;
  }

  get(key: string): Promise<VersionedRecord> {
    return this.#answer(() => {
      const record = this.#live(splitKey(key));
      if (record === undefined) throw new NotFoundError(key);
      return { data: record.data, version: record.version };
    });
  }

  put(key: string, data: string, meta?: RecordMeta): Promise<number> {
    return this.#answer(() => {
      return this.#write(this.#checkWrite(key, data, meta));
    });
  }

  putIfVersion(
    key: string,
    data: string,
    expected: number,
    meta?: RecordMeta,
  ): Promise<number> {
    return this.#answer(() => {
      const write = this.#checkWrite(key, data, meta);
      checkVersion(expected);
      const actual = this.#live(write)?.version ?? 0;
      if (actual !== expected) {
        throw new VersionConflictError(key, expected, actual);
      }
      return this.#write(write);
    });
  }

  delete(key: string): Promise<boolean> {
    return this.#answer(() => {
      const { owner, task } = splitKey(key);
      const was = this.#owner(owner).delete(task);
      if (was) this.#ring(key, true);
      this.#forget(owner);
      return was;
    });
  }

  listByPrefix(prefix: string): Promise<KeyedRecord[]> {
    return this.#answer(() => {
      const owner = this.#read(splitPrefix(prefix));
      return Array.from(
        { length: owner.byCreation.size },
        (_, rank) => owner.recordAt(prefix, rank),
      );
    });
  }

  cleanupExpired(): Promise<number> {
    return this.#answer(() => {
      let removed = 0;
      for (const name of [...this.#owners.keys()]) {
        removed += this.#expire(name);
      }
      return removed;
    });
  }

  create(
    key: string,
    data: string,
    options: CreateOptions = {},
  ): Promise<number> {
    return this.#answer(() => {
      const write = this.#checkWrite(key, data, options.meta);
      const maxRecords = checkCreate(options) ?? Infinity;
      const standing = this.#live(write);
      if (standing) throw new VersionConflictError(key, 0, standing.version);
      const { size } = this.#owner(write.owner).records;
      if (size >= maxRecords) {
        throw new CapacityExceededError(key, "records", maxRecords, size);
      }
      return this.#write(write);
    });
  }

  listPage(prefix: string, options: ListPageOptions = {}): Promise<RecordPage> {
    return this.#answer(() => {
      const owner = this.#read(splitPrefix(prefix));
      const { limit, order, after } = checkPage(options);
      const step = order === "oldest" ? 1 : -1;
      const records: KeyedRecord[] = [];
      let rank = owner.firstRank(order, after);
      for (
        ;
        records.length < limit && owner.byCreation.at(rank);
        rank += step
      ) {
        records.push(owner.recordAt(prefix, rank));
      }
      const last = owner.byCreation.at(rank - step);
      if (owner.byCreation.at(rank) === undefined || last === undefined) {
        return { records };
      }
      const position = { createdAt: String(last.score), task: last.task };
      return { records, nextCursor: encodeCursor(order, position) };
    });
  }

  watch(
    key: string,
    options: WatchOptions = {},
  ): AsyncIterable<VersionedRecord> {
    const parts = splitKey(key);
    return watchRecord({
      key,
      refreshMs: Infinity,
      closed: [this.#closed],
      read: () =>
        this.#answer(() => {
          const record = this.#live(parts);
          if (record === undefined) return undefined;
          const remainingMs = record.expiresAt - this.#clock();
          return { data: record.data, version: record.version, remainingMs };
        }),
      subscribe: (ring) => this.#answer(() => this.#subscribe(key, ring)),
    }, options);
  }

  close(): Promise<void> {
    this.#closed.end(closedError());
    this.#owners.clear();
    this.#queues.clear();
    return Promise.resolve();
  }

  /** Closes the backend: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Every error is a rejection, as it is from a backend that must ask. */
  #answer<T>(step: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#closed.throwIfClosed();
      resolve(step());
    });
  }

  #checkWrite(
    key: string,
    data: string,
    meta: RecordMeta | undefined,
  ): Write {
    const parts = splitKey(key);
    checkData(key, data, this.#maxRecordBytes);
    return { ...parts, key, data, meta: checkMeta(key, data, meta) };
  }

  #write({ key, owner, task, data, meta }: Write): number {
    const version = this.#owner(owner).write(task, data, meta, this.#clock());
    this.#ring(key, this.#live({ owner, task }) === undefined);
    this.#forget(owner);
    this.#sweepSome();
    return version;
  }

  /** The owner's live records; what has expired is removed on the way. */
  #owner(name: string): Owner {
    let owner = this.#owners.get(name);
    if (owner === undefined) this.#owners.set(name, owner = new Owner());
    owner.expire(this.#clock());
    return owner;
  }

  /** The same for a list: an owner who has nothing is not remembered. */
  #read(name: string): Owner {
    const owner = this.#owner(name);
    this.#forget(name);
    return owner;
  }

  #live({ owner, task }: KeyParts): StoredRecord | undefined {
    const record = this.#owners.get(owner)?.records.get(task);
    return record && record.expiresAt > this.#clock() ? record : undefined;
  }

  #expire(name: string): number {
    const removed = this.#owners.get(name)?.expire(this.#clock()) ?? 0;
    this.#forget(name);
    return removed;
  }

  #forget(name: string): void {
    if (this.#owners.get(name)?.records.size === 0) this.#owners.delete(name);
  }

  /**
   * Looks at two owners a write, round and round: owners who never come back
   * are freed while others write, in less than two rounds of new owners.
   */
  #sweepSome(): void {
    for (let i = 0; i < 2; i++) {
      const next = this.#sweep.next();
      if (next.done) this.#sweep = this.#owners.keys();
      else this.#expire(next.value);
    }
  }

  #subscribe(key: string, ring: ChangeListener): () => Promise<void> {
    const bells = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, bells.add(ring));
    return () => {
      bells.delete(ring);
      if (bells.size === 0 && this.#watchers.get(key) === bells) {
        this.#watchers.delete(key);
      }
      return Promise.resolve();
    };
  }

  #ring(key: string, deleted: boolean): void {
    for (const ring of this.#watchers.get(key) ?? []) ring(deleted);
  }
}

function closedError(): BackendError {
  return new BackendError("the memory backend is closed", { closed: true });
}
