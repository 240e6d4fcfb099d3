/**
 * Task records in a storage backend: coded and sealed, checked to be their
 * owner's, failed where their worker is lost, with storage errors in the words
 * of the task domain. `TaskStore` reads and writes through it.
 */

import type { StorageBackend, VersionedRecord } from "../storage/backend.ts";
import {
  CapacityExceededError,
  InvalidCursorError,
  InvalidKeyError,
  NotFoundError,
  StorageError,
  VersionConflictError,
} from "../storage/errors.ts";
import { makeKey, makePrefix, parseKey } from "../storage/keys.ts";
import { type ChangePolicy, retain } from "./change.ts";
import { decodeRecord, encodeRecord, recordText } from "./codec.ts";
import {
  ResourceExhaustedError,
  TaskCursorError,
  TaskNotFoundError,
  TaskStorageError,
} from "./errors.ts";
import { failForLostWorker, hasLostWorker } from "./lease.ts";
import type { ListTasksOptions, TaskPage } from "./options.ts";
import type { TaskRecord } from "./record.ts";
import { requireUnsealed, type Sealer } from "./seal.ts";

/** What the records of a store are kept with. */
export interface TaskRepositoryOptions {
  readonly backend: StorageBackend;
  readonly policy: ChangePolicy;
  readonly sealer: Sealer | undefined;
  readonly clock: () => number;
}

/** The records of a store. Owners are given checked. */
export class TaskRepository {
  readonly #backend: StorageBackend;
  readonly #policy: ChangePolicy;
  readonly #sealer: Sealer | undefined;
  readonly #clock: () => number;

  constructor({ backend, policy, sealer, clock }: TaskRepositoryOptions) {
    this.#backend = backend;
    this.#policy = policy;
    this.#sealer = sealer;
    this.#clock = clock;
  }

  /**
   * Writes a record that must not exist yet, within its owner's quota.
   *
   * @returns The record; `undefined` if one of its id exists.
   */
  async create(record: TaskRecord): Promise<TaskRecord | undefined> {
    const { taskId } = record.task;
    const key = makeKey(record.ownerId, taskId);
    const { data, record: written } = await this.#encode(record);
    try {
      const version = await this.#backend.create(key, data, {
        meta: metaOf(written),
        maxRecords: this.#policy.limits.maxTasksPerOwner,
      });
      return { ...written, version };
    } catch (error) {
      if (error instanceof VersionConflictError) return undefined;
      throw toTaskError(error, taskId);
    }
  }

  /** The live record, if there is one; failed first if its worker is lost. */
  async find(taskId: string, owner: string): Promise<TaskRecord | undefined> {
    const key = keyOf(owner, taskId);
    if (key === undefined) return undefined;
    try {
      return await this.#receive(key, owner, await this.#backend.get(key));
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw toTaskError(error, taskId);
    }
  }

  /**
   * Writes a record over the one of its version.
   *
   * @throws {VersionConflictError} If another version stands.
   */
  async replace(record: TaskRecord): Promise<TaskRecord> {
    const { taskId } = record.task;
    const { data, record: written } = await this.#encode(record);
    try {
      const version = await this.#backend.putIfVersion(
        makeKey(record.ownerId, taskId),
        data,
        record.version,
        metaOf(written),
      );
      return { ...written, version };
    } catch (error) {
      if (error instanceof VersionConflictError) throw error;
      throw toTaskError(error, taskId);
    }
  }

  /** Deletes a record; `true` if it was there. */
  async delete(taskId: string, owner: string): Promise<boolean> {
    const key = keyOf(owner, taskId);
    if (key === undefined) return false;
    try {
      return await this.#backend.delete(key);
    } catch (error) {
      throw toTaskError(error, taskId);
    }
  }

  /** Reads one page of an owner's records. */
  async page(owner: string, options: ListTasksOptions): Promise<TaskPage> {
    try {
      const { records, nextCursor } = await this.#backend.listPage(
        makePrefix(owner),
        options,
      );
      const found = await Promise.all(
        records.map((stored) => this.#receive(stored.key, owner, stored)),
      );
      const tasks = found.filter((record): record is TaskRecord =>
        record !== undefined
      );
      return nextCursor === undefined ? { tasks } : { tasks, nextCursor };
    } catch (error) {
      throw toTaskError(error, "");
    }
  }

  /** Yields every version of a record, to its end. */
  async *watch(
    taskId: string,
    owner: string,
    signal: AbortSignal,
  ): AsyncGenerator<TaskRecord, void, void> {
    const key = keyOf(owner, taskId);
    if (key === undefined) throw new TaskNotFoundError(taskId);
    try {
      for await (const stored of this.#backend.watch(key, { signal })) {
        const record = await this.#receive(key, owner, stored);
        if (record === undefined) throw new TaskNotFoundError(taskId);
        yield record;
      }
    } catch (error) {
      if (error instanceof NotFoundError) throw new TaskNotFoundError(taskId);
      throw toTaskError(error, taskId);
    }
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

  /** A stored record as its owner may see it; nothing if it is not theirs. */
  async #receive(
    key: string,
    owner: string,
    { data, version }: VersionedRecord,
  ): Promise<TaskRecord | undefined> {
    const record = decodeRecord(key, data, version);
    // The key decides who owns a record; that it says so too is a second lock.
    const isTheirs = record.ownerId === owner &&
      record.task.taskId === parseKey(key).task;
    if (!isTheirs) return undefined;
    const opened = this.#sealer
      ? await this.#sealer.open(key, record)
      : requireUnsealed(key, record);
    return await this.#settle(opened);
  }

  /**
   * Fails a task whose worker is lost before anyone sees it. Of all who see
   * it at once, one write wins; the others read what it wrote.
   */
  async #settle(record: TaskRecord): Promise<TaskRecord | undefined> {
    const now = this.#clock();
    if (!hasLostWorker(record, now)) return record;
    try {
      const failed = failForLostWorker(record, now);
      return await this.replace(retain(this.#policy, failed, now));
    } catch (error) {
      if (!(error instanceof VersionConflictError)) throw error;
      return await this.find(record.task.taskId, record.ownerId);
    }
  }

  async #encode(
    record: TaskRecord,
  ): Promise<{ data: string; record: TaskRecord }> {
    const plain = encodeRecord(record);
    if (this.#sealer === undefined) return plain;
    const sealed = await this.#sealer.seal(plain.record);
    return { data: recordText(sealed), record: plain.record };
  }
}

/** The key; `undefined` where no task can be: such an id was never given. */
function keyOf(owner: string, taskId: string): string | undefined {
  try {
    return makeKey(owner, taskId);
  } catch (error) {
    if (error instanceof InvalidKeyError) return undefined;
    throw error;
  }
}

function metaOf(
  record: TaskRecord,
): { createdAt: number; expiresAt: number | undefined } {
  return {
    createdAt: Date.parse(record.task.createdAt),
    expiresAt: record.expiresAt === null
      ? undefined
      : Date.parse(record.expiresAt),
  };
}

/** A storage error as the domain's. Any other error is left as it is. */
function toTaskError(error: unknown, taskId: string): unknown {
  if (!(error instanceof StorageError)) return error;
  if (error instanceof CapacityExceededError) {
    return error.unit === "records"
      ? new ResourceExhaustedError(
        `the owner has ${error.actual} live tasks, the most allowed`,
        "wait for tasks to expire, or delete some",
        { cause: error },
      )
      : new ResourceExhaustedError(
        `the record of task ${taskId} would have ${error.actual} bytes, over the limit of ${error.limit}`,
        "store large results elsewhere and return a reference",
        { cause: error },
      );
  }
  if (error instanceof InvalidCursorError) {
    return new TaskCursorError(error.cursor, { cause: error });
  }
  return new TaskStorageError(error.message, { cause: error });
}
