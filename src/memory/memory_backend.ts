/**
 * The storage contract inside one process: the embedded default where there
 * is no Redis, and the reference every other backend is compared with.
 *
 * @module
 */

import type { StorageBackend } from "../storage/backend.ts";
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
} from "../storage/record.ts";
import {
  checkDelete,
  checkExpected,
  checkFencing,
  checkPage,
  DEFAULT_MAX_RECORD_BYTES,
  requireInteger,
} from "../storage/checks.ts";
import type { DueStorage } from "../storage/due.ts";
import { BackendError } from "../storage/errors.ts";
import { splitKey, splitPrefix } from "../storage/keys.ts";
import type { LeaseStorage } from "../storage/leases.ts";
import type { MessageQueue } from "../storage/message_queue.ts";
import type { StepStorage } from "../storage/steps.ts";
import { checkOnWarning } from "../storage/warnings.ts";
import { WatchHub } from "../storage/watch.ts";
import { CloseSignal } from "../util/close_signal.ts";
import { MemoryDue } from "./memory_due.ts";
import { MemoryLeases, requireLease } from "./memory_leases.ts";
import { MemoryMessageQueue } from "./memory_message_queue.ts";
import { type Answer, MemoryRecords } from "./memory_records.ts";
import { MemorySteps } from "./memory_steps.ts";
import { readRecord } from "./owner_records.ts";
import { readPage } from "./page.ts";

/** Options of a {@linkcode MemoryBackend}. */
export interface MemoryBackendOptions {
  /** The largest record, in bytes of UTF-8. Default: 8 MiB. */
  readonly maxRecordBytes?: number;
  /** The time, in epoch milliseconds. Default: `Date.now`. */
  readonly clock?: () => number;
  /**
   * Called with what an operator should know: a listener that has thrown;
   * `cause` is what it has thrown. Default: `console.warn`, once a sentence.
   */
  readonly onWarning?: (message: string, cause?: unknown) => void;
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
 * const { records } = await backend.listPage(makePrefix("alice"));
 * assertEquals(records.map(({ key, data }) => [key, data]), [
 *   ["alice:t-1", "hello"],
 * ]);
 * ```
 */
export class MemoryBackend implements StorageBackend {
  readonly #records: MemoryRecords;
  readonly #queues: MemoryMessageQueue;
  readonly #leases: MemoryLeases;
  readonly #steps: MemorySteps;
  readonly #due: MemoryDue;
  readonly #watches: WatchHub;
  readonly #closed = new CloseSignal();
  readonly #answer: Answer;

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
      onWarning,
    }: MemoryBackendOptions = {},
  ) {
    requireInteger("maxRecordBytes", maxRecordBytes, 1);
    const answer = this.#answer = (step) =>
      new Promise((resolve) => {
        this.#closed.throwIfClosed();
        resolve(step(clock()));
      });
    const records = this.#records = new MemoryRecords({
      maxRecordBytes,
      answer,
      onChange: (key, version) => this.#watches.changed(key, version),
    });
    this.#watches = new WatchHub({
      closed: [this.#closed],
      read: (key) => {
        const now = clock();
        const record = records.find(splitKey(key), now);
        return record && {
          ...readRecord(record, now),
          remainingMs: record.expiresAt - now,
        };
      },
    });
    this.#queues = new MemoryMessageQueue({
      maxRecordBytes,
      answer,
      recordEnd: (key, now) => records.find(splitKey(key), now)?.expiresAt,
    });
    this.#leases = new MemoryLeases(records);
    this.#steps = new MemorySteps(records);
    this.#due = new MemoryDue(answer, checkOnWarning(onWarning));
  }

  /** Queues of messages beside the records. */
  get queues(): MessageQueue {
    return this.#queues;
  }

  /** Leases on the records. */
  get leases(): LeaseStorage {
    return this.#leases;
  }

  /** Recorded steps of the records. */
  get steps(): StepStorage {
    return this.#steps;
  }

  /** Hints that a record wants a worker. */
  get due(): DueStorage {
    return this.#due;
  }

  get(key: string): Promise<VersionedRecord> {
    return this.#answer((now) => readRecord(this.#records.get(key, now), now));
  }

  put(key: string, data: string, meta?: WriteOptions): Promise<number> {
    return this.#answer((now) => {
      const write = this.#records.checkWrite(key, data, meta);
      const applied = this.#records.findApplied(write);
      if (applied) return applied.version;
      const lease = this.#records.find(write, now)?.lease;
      return this.#records.write(write, lease, now);
    });
  }

  putIfVersion(
    key: string,
    data: string,
    expected: ExpectedRecord,
    meta?: PutIfVersionOptions,
  ): Promise<number> {
    return this.#answer((now) => {
      const write = this.#records.checkWrite(key, data, meta);
      const checked = checkExpected(expected);
      const { fence, releaseLease } = checkFencing(meta);
      const applied = this.#records.findApplied(write);
      if (applied) return applied.version;
      const record = this.#records.getExpected(key, checked, now);
      if (fence !== undefined) requireLease(key, record, fence, now);
      const lease = releaseLease ? undefined : record.lease;
      return this.#records.write(write, lease, now);
    });
  }

  delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    return this.#answer((now) => {
      splitKey(key);
      const { expected, operationId, isNamed } = checkDelete(options);
      const name = isNamed ? operationId : undefined;
      return this.#records.delete(key, expected, name, now);
    });
  }

  listByPrefix(prefix: string): Promise<KeyedRecord[]> {
    return this.#answer((now) => {
      const owner = this.#records.readOwner(splitPrefix(prefix), now);
      const { members } = readPage(owner.byCreation, {
        limit: Infinity,
        order: "oldest",
        after: undefined,
      });
      return members.map((task) => ({
        key: prefix + task,
        ...readRecord(owner.records.get(task)!, now),
      }));
    });
  }

  cleanupExpired(): Promise<number> {
    return this.#answer((now) => this.#records.expireAll(now));
  }

  create(
    key: string,
    data: string,
    options: CreateOptions = {},
  ): Promise<number> {
    return this.#answer((now) => {
      const [write, quotas] = this.#records.checkCreate(key, data, options);
      const applied = this.#records.findApplied(write);
      if (applied) return applied.version;
      return this.#records.create(write, quotas, undefined, now);
    });
  }

  listPage(prefix: string, options: ListPageOptions = {}): Promise<RecordPage> {
    return this.#answer((now) => {
      const owner = this.#records.readOwner(splitPrefix(prefix), now);
      const { active, ...page } = checkPage(options);
      const index = active ? owner.activeByCreation : owner.byCreation;
      const { members, ...rest } = readPage(index, page);
      const records = members.map((task) => ({
        key: prefix + task,
        ...readRecord(owner.records.get(task)!, now),
      }));
      return { records, ...rest };
    });
  }

  watch(
    key: string,
    options: WatchOptions = {},
  ): AsyncIterable<VersionedRecord> {
    splitKey(key);
    return this.#watches.watch(key, options);
  }

  close(): Promise<void> {
    this.#closed.end(
      new BackendError("the memory backend is closed", { closed: true }),
    );
    this.#records.clear();
    this.#queues.clear();
    this.#due.clear();
    return Promise.resolve();
  }

  /** Closes the backend: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
