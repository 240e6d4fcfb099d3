/**
 * The records of a `MemoryBackend` and every change of them. The backend
 * itself, its leases and its steps are views of this table.
 */

import type { CreateOptions, WriteOptions } from "../storage/record.ts";
import {
  checkCreate,
  checkData,
  type CheckedExpected,
  type CheckedQuotas,
  type CheckedWrite,
  checkWrite,
} from "../storage/checks.ts";
import {
  CapacityExceededError,
  NotFoundError,
  VersionConflictError,
} from "../storage/errors.ts";
import { type KeyParts, splitKey } from "../storage/keys.ts";
import { type AppliedWrite, OperationTrace } from "./operation_trace.ts";
import {
  OwnerRecords,
  type StoredLease,
  type StoredRecord,
} from "./owner_records.ts";
import { Sweep } from "./sweep.ts";

/**
 * Runs a step at one moment of the clock, in epoch milliseconds. Every error
 * is a rejection, as it is from a backend that must ask.
 */
export type Answer = <T>(step: (now: number) => T) => Promise<T>;

/** The parts of a backend that its table of records needs. */
export interface MemoryRecordsOptions {
  readonly maxRecordBytes: number;
  readonly answer: Answer;
  /** Called after every write and deletion, with the new version or 0. */
  readonly onChange: (key: string, version: number) => void;
}

/** A write, checked. */
export interface Write extends KeyParts, CheckedWrite {
  readonly key: string;
  readonly data: string;
}

/** Every record of a backend, by owner. */
export class MemoryRecords {
  readonly maxRecordBytes: number;
  readonly answer: Answer;
  readonly #onChange: (key: string, version: number) => void;
  readonly #owners = new Map<string, OwnerRecords>();
  readonly #trace = new OperationTrace();
  /** Of all keys together: higher than every fence of any life of each. */
  #lastFence = 0;
  /** Frees owners who never come back. */
  readonly #sweep = new Sweep(
    this.#owners,
    (owner, now) => this.#expire(owner, now),
  );

  constructor({ maxRecordBytes, answer, onChange }: MemoryRecordsOptions) {
    this.maxRecordBytes = maxRecordBytes;
    this.answer = answer;
    this.#onChange = onChange;
  }

  checkWrite(
    key: string,
    data: string,
    meta: WriteOptions | undefined,
  ): Write {
    const parts = splitKey(key);
    checkData(key, data, this.maxRecordBytes);
    return { ...parts, key, data, ...checkWrite(key, data, meta) };
  }

  checkCreate(
    key: string,
    data: string,
    options: CreateOptions,
  ): [Write, CheckedQuotas] {
    return [this.checkWrite(key, data, options.meta), checkCreate(options)];
  }

  /** Finds the result of a write that was applied before. */
  findApplied(write: Write): AppliedWrite | undefined {
    return write.isNamed
      ? this.#trace.find(write.key, write.operationId)
      : undefined;
  }

  find({ owner, task }: KeyParts, now: number): StoredRecord | undefined {
    const record = this.#owners.get(owner)?.records.get(task);
    return record && record.expiresAt > now ? record : undefined;
  }

  /** @throws {NotFoundError} If there is none. */
  get(key: string, now: number): StoredRecord {
    const record = this.find(splitKey(key), now);
    if (record === undefined) throw new NotFoundError(key);
    return record;
  }

  /** @throws {VersionConflictError} If it is another. */
  getExpected(
    key: string,
    expected: CheckedExpected,
    now: number,
  ): StoredRecord {
    const record = this.find(splitKey(key), now);
    if (record === undefined || !isExpected(record, expected)) {
      const actual = record?.version ?? 0;
      throw new VersionConflictError(key, expected.version, actual);
    }
    return record;
  }

  /** Writes a record; it has the lease given from then on. */
  write(write: Write, lease: StoredLease | undefined, now: number): number {
    const { key, owner, task } = write;
    const version = this.#ownerToWrite(owner, now)
      .write(task, { ...write, lease }, now);
    const fence = lease?.fence ?? 0;
    if (write.isNamed) {
      this.#trace.add(key, write.operationId, { version, fence }, now);
    }
    this.#onChange(key, this.find(write, now) ? version : 0);
    this.#forget(owner);
    this.#sweep.step(now);
    return version;
  }

  /** Writes a record that must not exist, if the quotas allow it. */
  create(
    write: Write,
    { maxRecords = Infinity, maxActive = Infinity }: CheckedQuotas,
    lease: StoredLease | undefined,
    now: number,
  ): number {
    const found = this.find(write, now);
    if (found) throw new VersionConflictError(write.key, 0, found.version);
    const owner = this.#owners.get(write.owner);
    owner?.expire(now);
    const records = owner?.records.size ?? 0;
    if (records >= maxRecords) {
      throw new CapacityExceededError(
        write.key,
        "records",
        maxRecords,
        records,
      );
    }
    const active = owner?.activeByCreation.size ?? 0;
    if (write.active && active >= maxActive) {
      throw new CapacityExceededError(write.key, "active", maxActive, active);
    }
    return this.write(write, lease, now);
  }

  /** Deletes a record; `true` if it was there, or this deletion had it. */
  delete(
    key: string,
    expected: CheckedExpected | undefined,
    operationId: string | undefined,
    now: number,
  ): boolean {
    const { owner, task } = splitKey(key);
    if (operationId !== undefined && this.#trace.find(key, operationId)) {
      return true;
    }
    const record = this.find({ owner, task }, now);
    if (record === undefined) return false;
    if (expected !== undefined) this.getExpected(key, expected, now);
    this.#owners.get(owner)?.delete(task);
    if (operationId !== undefined) {
      this.#trace.add(key, operationId, { version: 0, fence: 0 }, now);
    }
    this.#onChange(key, 0);
    this.#forget(owner);
    return true;
  }

  /** The owner's live records; what has expired is removed on the way. */
  readOwner(name: string, now: number): OwnerRecords {
    const owner = this.#owners.get(name);
    if (owner === undefined) return new OwnerRecords();
    owner.expire(now);
    this.#forget(name);
    return owner;
  }

  /** Removes what has expired and says how many records that was. */
  expireAll(now: number): number {
    let removed = 0;
    for (const name of [...this.#owners.keys()]) {
      removed += this.#expire(name, now);
    }
    return removed;
  }

  /** The fence of a new lease. */
  nextFence(now: number): number {
    const nowMicros = Math.floor(now * 1000);
    return this.#lastFence = Math.max(this.#lastFence + 1, nowMicros);
  }

  clear(): void {
    this.#owners.clear();
    this.#trace.clear();
  }

  #ownerToWrite(name: string, now: number): OwnerRecords {
    let owner = this.#owners.get(name);
    if (owner === undefined) this.#owners.set(name, owner = new OwnerRecords());
    owner.expire(now);
    return owner;
  }

  #expire(name: string, now: number): number {
    const removed = this.#owners.get(name)?.expire(now) ?? 0;
    this.#forget(name);
    return removed;
  }

  /** An owner who has nothing is not remembered. */
  #forget(name: string): void {
    if (this.#owners.get(name)?.records.size === 0) this.#owners.delete(name);
  }
}

function isExpected(record: StoredRecord, { version, etag }: CheckedExpected) {
  return record.version === version && (etag === "" || record.etag === etag);
}
