/**
 * Task records in a storage backend: coded and sealed, checked to be their
 * owner's, failed where their worker is lost, with storage errors in the words
 * of the task domain. Everything above reads and writes through it.
 */

import type { StorageBackend } from "../storage/backend.ts";
import type { VersionedRecord } from "../storage/record.ts";
import {
  FencedError,
  LeaseConflictError,
  NotFoundError,
  VersionConflictError,
} from "../storage/errors.ts";
import { makeKey, makePrefix } from "../storage/keys.ts";
import type { LeaseRequest } from "../storage/leases.ts";
import type { LeaseState } from "../storage/record.ts";
import { newOperationId } from "../storage/operation_id.ts";
import { type ChangePolicy, failForLostWorker } from "./change.ts";
import { TaskNotFoundError } from "./errors.ts";
import { leaseState, requireLeases, withLease } from "./lease.ts";
import type { LeaseHolders } from "./lease_holders.ts";
import type { ListTasksOptions, TaskPage } from "./options.ts";
import type { TaskRecord } from "./record.ts";
import { type DecodedRecord, RecordCodec } from "./record_codec.ts";
import { keyOf, metaOf } from "./record_meta.ts";
import type { Sealer } from "./seal.ts";
import { isFinalStatus } from "./status.ts";
import {
  damagedTask,
  isStored,
  storedAs,
  toTaskError,
} from "./storage_errors.ts";

/** Options of {@linkcode TaskRepository}. */
export interface TaskRepositoryOptions {
  readonly backend: StorageBackend;
  readonly policy: ChangePolicy;
  readonly sealer: Sealer | undefined;
  readonly holders: LeaseHolders;
  readonly clock: () => number;
}

/** A record, or none; a promise of it where more than the text decides. */
type Received = TaskRecord | undefined | Promise<TaskRecord | undefined>;

/** The records of a store. Owners are given checked. */
export class TaskRepository {
  readonly #backend: StorageBackend;
  readonly #policy: ChangePolicy;
  readonly #codec: RecordCodec;
  readonly #holders: LeaseHolders;
  readonly #clock: () => number;

  constructor(
    { backend, policy, sealer, holders, clock }: TaskRepositoryOptions,
  ) {
    this.#backend = backend;
    this.#holders = holders;
    this.#policy = policy;
    this.#codec = new RecordCodec(sealer);
    this.#clock = clock;
  }

  /**
   * Writes a record that must not exist yet, within its owner's quotas.
   *
   * @param lease The lease it is under from its first moment.
   * @returns The record; `undefined` if one of its id exists.
   */
  async create(
    record: TaskRecord,
    lease: LeaseRequest | undefined,
  ): Promise<TaskRecord | undefined> {
    const { ownerId, task: { taskId } } = record;
    const { limits } = this.#policy;
    const key = makeKey(ownerId, taskId);
    const leases = lease && requireLeases(this.#backend);
    const data = await this.#codec.encode(record, 1);
    const operationId = newOperationId();
    const options = {
      meta: { ...metaOf(record), operationId },
      maxRecords: limits.maxTasksPerOwner,
      maxActive: limits.maxActiveTasksPerOwner,
    };
    try {
      if (lease === undefined) {
        const version = await this.#backend.create(key, data, options);
        return { ...record, version, etag: operationId };
      }
      const signed = await this.#holders.sign(key, lease);
      const { fence } = await leases!.create(key, data, signed, options);
      const created = { ...record, version: 1, etag: operationId };
      return withLease(created, leaseState(lease, fence), this.#clock());
    } catch (error) {
      if (error instanceof VersionConflictError) return undefined;
      throw toTaskError(error, taskId, await this.#stored(error, record));
    }
  }

  /**
   * Reads what names the task that lives under a key, and no other of its id.
   * Errors are the storage's own.
   */
  async lifeOf(key: string): Promise<string> {
    return await this.#codec.lifeOf(key, await this.#backend.get(key));
  }

  /**
   * Reads the live record, if there is one; failed first if its worker is lost.
   *
   * @param endedFence A lease the storage has just said to have run out.
   */
  async find(
    taskId: string,
    owner: string,
    endedFence?: number,
  ): Promise<TaskRecord | undefined> {
    const key = keyOf(owner, taskId);
    if (key === undefined) return undefined;
    try {
      const stored = await this.#backend.get(key);
      return await this.#receive(key, owner, stored, endedFence);
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw toTaskError(error, taskId);
    }
  }

  /**
   * Writes a changed record over the very one it was made from; with a final
   * state, the lease ends in the same write.
   *
   * @param before The record it was made from.
   * @param operationId The name of the write.
   * @throws {VersionConflictError} If another record is stored.
   * @throws {FencedError} If that lease has ended.
   */
  async replace(
    record: TaskRecord,
    before: TaskRecord,
    operationId: string,
  ): Promise<TaskRecord> {
    const { taskId } = record.task;
    const { version: expected, etag } = before;
    const fence = before.lease?.fence;
    const data = await this.#codec.encode(record, expected + 1);
    const meta = metaOf(record);
    try {
      const version = await this.#backend.putIfVersion(
        makeKey(record.ownerId, taskId),
        data,
        { version: expected, etag, meta: metaOf(before) },
        fence === undefined
          ? { ...meta, operationId }
          : { ...meta, operationId, fence, releaseLease: !meta.active },
      );
      return { ...record, version, etag: operationId };
    } catch (error) {
      if (
        error instanceof VersionConflictError || error instanceof FencedError
      ) throw error;
      throw toTaskError(error, taskId, storedAs(error, record, operationId));
    }
  }

  /**
   * Deletes a record.
   *
   * @param expected The record to delete; left out: whatever is stored.
   * @returns `true` if it was there.
   * @throws {VersionConflictError} If another record is stored.
   */
  async delete(
    taskId: string,
    owner: string,
    expected?: TaskRecord,
  ): Promise<boolean> {
    const key = keyOf(owner, taskId);
    if (key === undefined) return false;
    try {
      return await this.#backend.delete(key, { expected });
    } catch (error) {
      if (error instanceof VersionConflictError) throw error;
      throw toTaskError(error, taskId);
    }
  }

  /** Reads one page of an owner's records; one that is damaged spoils no other. */
  async page(owner: string, options: ListTasksOptions): Promise<TaskPage> {
    try {
      const page = await this.#backend.listPage(makePrefix(owner), {
        ...options,
        nameDamaged: true,
      });
      const found = await Promise.all(page.records.map(async (stored) => {
        try {
          return { record: await this.#receive(stored.key, owner, stored) };
        } catch (error) {
          return { damaged: damagedTask(stored.key, error) };
        }
      }));
      const damaged = found.flatMap((one) => one.damaged ?? []);
      for (const { key, error } of page.damaged ?? []) {
        damaged.push(damagedTask(key, error));
      }
      const tasks = found.flatMap(({ record }) =>
        // Its worker may just have turned out to be lost.
        record === undefined ||
          (options.active && isFinalStatus(record.task.status))
          ? []
          : record
      );
      const { nextCursor } = page;
      return {
        tasks,
        ...(damaged.length > 0 ? { damaged } : {}),
        ...(nextCursor === undefined ? {} : { nextCursor }),
      };
    } catch (error) {
      throw toTaskError(error, "");
    }
  }

  /** Opens the watch of a stored record, to be read with `receiveWatched`. */
  watch(
    taskId: string,
    owner: string,
    signal: AbortSignal,
  ): AsyncIterable<VersionedRecord> {
    const key = keyOf(owner, taskId);
    if (key === undefined) throw new TaskNotFoundError(taskId);
    return this.#backend.watch(key, { signal });
  }

  /**
   * Reads what a watch has yielded.
   *
   * @param watched What all watches of the task share: a record that one of
   * them has decoded is not decoded again.
   */
  receiveWatched(
    taskId: string,
    owner: string,
    stored: VersionedRecord,
    watched: { decoded: DecodedRecord | undefined },
  ): Received {
    const key = makeKey(owner, taskId);
    const { etag } = stored;
    if (etag === "" || watched.decoded?.etag !== etag) {
      const record = this.#codec.decode(key, owner, stored);
      watched.decoded = { etag, record };
    }
    return this.#withLease(key, watched.decoded.record, stored, undefined);
  }

  /**
   * Frees what expired records hold.
   *
   * @returns How many were removed.
   */
  async cleanupExpired(): Promise<number> {
    try {
      return await this.#backend.cleanupExpired();
    } catch (error) {
      throw toTaskError(error, "");
    }
  }

  /** Decodes a stored record; returns nothing if it is not the owner's. */
  #receive(
    key: string,
    owner: string,
    stored: VersionedRecord,
    endedFence?: number,
  ): Received {
    const record = this.#codec.decode(key, owner, stored);
    return this.#withLease(key, record, stored, endedFence);
  }

  #withLease(
    key: string,
    record: DecodedRecord["record"],
    { lease }: VersionedRecord,
    endedFence: number | undefined,
  ): Received {
    if (record === undefined || lease === undefined) return record;
    return record instanceof Promise
      ? this.#openLease(key, record, lease, endedFence)
      : this.#settle(key, record, lease, endedFence);
  }

  async #openLease(
    key: string,
    record: Promise<TaskRecord>,
    lease: LeaseState,
    endedFence: number | undefined,
  ): Promise<TaskRecord | undefined> {
    const opened = await record;
    if (isFinalStatus(opened.task.status)) return opened;
    const holder = await this.#holders.open(key, lease.holder);
    return await this.#settle(key, opened, { ...lease, holder }, endedFence);
  }

  /** Returns a record with its lease; failed first where that has run out. */
  #settle(
    key: string,
    record: TaskRecord,
    lease: LeaseState,
    endedFence: number | undefined,
  ): Received {
    if (isFinalStatus(record.task.status)) return record;
    return lease.remainingMs > 0 && lease.fence !== endedFence
      ? withLease(record, lease, this.#clock())
      : this.#expire(key, record, lease);
  }

  /**
   * Fails a task whose worker is lost before anyone sees it. The storage
   * decides whether it is; of all who see it at once, one write is applied,
   * and the others read what it wrote.
   */
  async #expire(
    key: string,
    record: TaskRecord,
    lease: LeaseState,
  ): Promise<TaskRecord | undefined> {
    const now = this.#clock();
    const failed = failForLostWorker(this.#policy, record, lease.holder, now);
    const operationId = newOperationId();
    const data = await this.#codec.encode(failed, record.version + 1);
    try {
      const version = await requireLeases(this.#backend).expire(
        key,
        lease.fence,
        data,
        record,
        { ...metaOf(failed), operationId },
      );
      return { ...failed, version, etag: operationId };
    } catch (error) {
      if (error instanceof LeaseConflictError) {
        const { remainingMs } = error;
        return withLease(record, { ...lease, remainingMs }, now);
      }
      if (error instanceof NotFoundError) return undefined;
      if (
        error instanceof VersionConflictError || error instanceof FencedError
      ) return await this.find(record.task.taskId, record.ownerId);
      // A reader asks for what is stored, not for how many replicas have it.
      const written = storedAs(error, failed, operationId);
      if (written !== undefined) return written;
      throw toTaskError(error, record.task.taskId);
    }
  }

  /** Reads the record a failed creation has left, with the lease it was made under. */
  async #stored(
    error: unknown,
    { ownerId, runId, task: { taskId } }: TaskRecord,
  ): Promise<TaskRecord | undefined> {
    if (!isStored(error)) return undefined;
    const found = await this.find(taskId, ownerId).catch(() => undefined);
    return found?.runId === runId ? found : undefined;
  }
}
