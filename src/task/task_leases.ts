/** Leases of workers on tasks: the storage grants and judges them. */

import type { StorageBackend } from "../storage/backend.ts";
import {
  FencedError,
  LeaseConflictError,
  NotFoundError,
} from "../storage/errors.ts";
import { makeKey } from "../storage/keys.ts";
import type { LeaseRequest, LeaseStorage } from "../storage/leases.ts";
import { requireChangeable } from "./change.ts";
import {
  ConcurrentModificationError,
  taskGone,
  TaskNotFoundError,
} from "./errors.ts";
import { leaseState, requireLeases, withLease } from "./lease.ts";
import { LeaseHeldError } from "./lease_errors.ts";
import type { LeaseHolders } from "./lease_holders.ts";
import type { TaskRef } from "./options.ts";
import { isSameTask, type TaskRecord } from "./record.ts";
import { isStored, toTaskError } from "./storage_errors.ts";
import { type NamedTask, nameOf } from "./task_changes.ts";
import type { TaskRepository } from "./task_repository.ts";

/** The most requests for a lease that its holder takes again meanwhile. */
const MAX_ATTEMPTS = 10;

/** Options of {@linkcode TaskLeases}. */
export interface TaskLeasesOptions {
  readonly backend: StorageBackend;
  readonly records: TaskRepository;
  readonly holders: LeaseHolders;
  readonly clock: () => number;
}

/** Takes, renews and releases the leases of a store's tasks. */
export class TaskLeases {
  readonly #backend: StorageBackend;
  readonly #records: TaskRepository;
  readonly #holders: LeaseHolders;
  readonly #clock: () => number;

  constructor({ backend, records, holders, clock }: TaskLeasesOptions) {
    this.#backend = backend;
    this.#holders = holders;
    this.#records = records;
    this.#clock = clock;
  }

  /** Takes a lease; see `TaskStore.lease`. */
  async take(
    ref: TaskRef,
    owner: string,
    request: LeaseRequest,
  ): Promise<TaskRecord> {
    const leases = requireLeases(this.#backend);
    const named = nameOf(ref, owner);
    const { taskId } = named;
    // Read first: a lease that has run out fails the task, and is not taken.
    const before = await this.#read(named, owner);
    requireChangeable(before, before.task.status);
    const current = before.lease?.holder;
    if (current !== undefined && current !== request.holder) {
      throw new LeaseHeldError(taskId, current);
    }
    const key = makeKey(owner, taskId);
    const signed = await this.#holders.sign(key, request);
    const taking = this.#acquire(leases, key, named, signed);
    // What it was taken on is read in the same round trip.
    const reading = this.#records.find(taskId, owner);
    reading.catch(() => {});
    const fence = await taking;
    let after = await reading;
    if (after !== undefined && !isUnder(after, request.holder, fence)) {
      after = await this.#records.find(taskId, owner);
    }
    const isSame = after !== undefined && isSameTask(before, after);
    if (isSame && isUnder(after!, request.holder, fence)) return after!;
    // The task has ended in between, or was deleted and made again.
    if (fence !== undefined) await leases.release(key, fence).catch(() => {});
    if (!isSame) throw taskGone(taskId, named.held, this.#clock());
    requireChangeable(after!, after!.task.status);
    throw new LeaseHeldError(taskId, after!.lease?.holder);
  }

  /** Renews a lease; see `TaskStore.renew`. */
  async renew(
    ref: TaskRef,
    owner: string,
    request: LeaseRequest,
  ): Promise<TaskRecord> {
    const leases = requireLeases(this.#backend);
    const named = nameOf(ref, owner);
    const { taskId } = named;
    let record = named.held;
    let endedFence: number | undefined;
    for (let attempt = 1;; attempt++) {
      if (record?.lease?.holder !== request.holder) {
        record = await this.#read(named, owner, endedFence);
        requireChangeable(record, record.task.status);
        if (record.lease?.holder !== request.holder) {
          throw new LeaseHeldError(taskId, record.lease?.holder);
        }
      }
      const { fence } = record.lease;
      try {
        await leases.renew(makeKey(owner, taskId), fence, request.forMs);
      } catch (error) {
        if (error instanceof FencedError && attempt < MAX_ATTEMPTS) {
          endedFence = fence;
          record = undefined;
          continue;
        }
        // On the primary, which judges it, a lease that is stored is renewed.
        if (!isStored(error)) throw this.#toTaskError(error, named, attempt);
      }
      return withLease(record, leaseState(request, fence), this.#clock());
    }
  }

  /** Releases a lease; see `TaskStore.release`. */
  async release(
    ref: TaskRef,
    owner: string,
    holder: string,
  ): Promise<boolean> {
    const leases = requireLeases(this.#backend);
    const named = nameOf(ref, owner);
    const record = named.held?.lease?.holder === holder
      ? named.held
      : await this.#read(named, owner);
    if (record.lease?.holder !== holder) return false;
    try {
      const key = makeKey(owner, named.taskId);
      return await leases.release(key, record.lease.fence);
    } catch (error) {
      if (isStored(error)) return true;
      throw this.#toTaskError(error, named, 1);
    }
  }

  /** Resolves to the fence; `undefined` where only the record can tell it. */
  async #acquire(
    leases: LeaseStorage,
    key: string,
    named: NamedTask,
    request: LeaseRequest,
  ): Promise<number | undefined> {
    try {
      return (await leases.acquire(key, request)).fence;
    } catch (error) {
      if (isStored(error)) return undefined;
      if (error instanceof LeaseConflictError) {
        const holder = await this.#holders.open(key, error.holder)
          .catch((cause) => toTaskError(cause, named.taskId));
        throw typeof holder === "string"
          ? new LeaseHeldError(named.taskId, holder)
          : holder;
      }
      throw this.#toTaskError(error, named, 1);
    }
  }

  async #read(
    { taskId, held }: NamedTask,
    owner: string,
    endedFence?: number,
  ): Promise<TaskRecord> {
    const record = await this.#records.find(taskId, owner, endedFence);
    if (record === undefined) throw taskGone(taskId, held, this.#clock());
    if (held !== undefined && !isSameTask(held, record)) {
      throw new TaskNotFoundError(taskId);
    }
    return record;
  }

  #toTaskError(
    error: unknown,
    { taskId, held }: NamedTask,
    attempts: number,
  ): unknown {
    if (error instanceof NotFoundError) {
      return taskGone(taskId, held, this.#clock());
    }
    return error instanceof FencedError
      ? new ConcurrentModificationError(taskId, attempts, { cause: error })
      : toTaskError(error, taskId);
  }
}

function isUnder(
  { lease }: TaskRecord,
  holder: string,
  fence: number | undefined,
): boolean {
  return lease?.holder === holder &&
    (fence === undefined || lease.fence === fence);
}
