/**
 * Leases on records: one holder at a time, judged by the clock of the storage
 * alone, so that the clocks of the instances need not agree.
 *
 * @module
 */

import type { CreateOptions, ExpectedRecord, WriteOptions } from "./record.ts";

/** A request for a lease. */
export interface LeaseRequest {
  /** The name of the holder, unique among all holders and acquisitions. */
  readonly holder: string;
  /** The time the lease lasts, in milliseconds, an integer from 1. */
  readonly forMs: number;
}

/** A lease that was granted. */
export interface GrantedLease {
  /**
   * The number of this acquisition: higher than that of every earlier one of
   * the key, over all lives of its record.
   */
  readonly fence: number;
}

/**
 * Leases on the records of a backend.
 *
 * A lease changes neither the text nor the version of its record and makes no
 * event. Acquiring, renewing and releasing are idempotent by holder and fence:
 * a lost answer never turns a success into a loss, as long as the lease lasts
 * and its record lives.
 *
 * Every method throws `NotFoundError` if there is no live record (`create`
 * aside), and what every method of a backend throws.
 *
 * @example One holder at a time
 * ```ts
 * import { FencedError, makeKey, MemoryBackend } from "@mcp-tasks/redis";
 * import { assertRejects } from "@std/assert";
 *
 * await using backend = new MemoryBackend();
 * const key = makeKey("alice", "t-1");
 * await backend.create(key, "working");
 * const lease = { holder: "worker-1", forMs: 30_000 };
 * const { fence } = await backend.leases.acquire(key, lease);
 * await backend.leases.release(key, fence);
 * await assertRejects(
 *   () => backend.putIfVersion(key, "late", 1, { fence }),
 *   FencedError,
 * );
 * ```
 */
export interface LeaseStorage {
  /**
   * Takes the lease on a record. A holder that has it already keeps its fence,
   * and the lease lasts `forMs` from now.
   *
   * @throws {LeaseConflictError} If another holder has it.
   */
  acquire(key: string, lease: LeaseRequest): Promise<GrantedLease>;

  /**
   * Makes a lease last `forMs` from now.
   *
   * @throws {FencedError} If it has run out, was released, or a later one
   * exists.
   */
  renew(key: string, fence: number, forMs: number): Promise<void>;

  /**
   * Gives a lease back; the record then has none.
   *
   * @returns `true` if it was released, now or by an earlier try; `false` if a
   * later one exists.
   */
  release(key: string, fence: number): Promise<boolean>;

  /**
   * Creates a record under a lease from its first moment, in one atomic step;
   * otherwise as `StorageBackend.create`.
   */
  create(
    key: string,
    data: string,
    lease: LeaseRequest,
    options?: CreateOptions,
  ): Promise<GrantedLease>;

  /**
   * Writes a record whose lease has run out, and removes the lease; otherwise
   * as `StorageBackend.putIfVersion`.
   *
   * @param fence The lease that is believed to have run out.
   * @throws {LeaseConflictError} If that lease still holds.
   * @throws {FencedError} If it was released, or a later one exists.
   */
  expire(
    key: string,
    fence: number,
    data: string,
    expected: ExpectedRecord,
    meta?: WriteOptions,
  ): Promise<number>;
}
