/** Leases inside one process: the `leases` of a `MemoryBackend`. */

import type {
  CreateOptions,
  ExpectedRecord,
  WriteOptions,
} from "../storage/record.ts";
import {
  checkExpected,
  checkFence,
  checkForMs,
  checkLease,
} from "../storage/checks.ts";
import { FencedError, LeaseConflictError } from "../storage/errors.ts";
import type {
  GrantedLease,
  LeaseRequest,
  LeaseStorage,
} from "../storage/leases.ts";
import type { MemoryRecords } from "./memory_records.ts";
import type { StoredLease, StoredRecord } from "./owner_records.ts";

/** Every promise of `LeaseStorage`, in the memory of this process. */
export class MemoryLeases implements LeaseStorage {
  readonly #records: MemoryRecords;

  constructor(records: MemoryRecords) {
    this.#records = records;
  }

  acquire(key: string, lease: LeaseRequest): Promise<GrantedLease> {
    return this.#records.answer((now) => {
      const asked = checkLease(lease);
      const record = this.#records.get(key, now);
      const held = heldLease(record, now);
      if (held && held.holder !== asked.holder) {
        const remainingMs = held.untilMs - now;
        throw new LeaseConflictError(key, held.holder, remainingMs);
      }
      const fence = held?.fence ?? this.#records.nextFence(now);
      record.lease = storedLease(asked, fence, now);
      return { fence };
    });
  }

  renew(key: string, fence: number, forMs: number): Promise<void> {
    return this.#records.answer((now) => {
      checkFence(fence);
      checkForMs(forMs);
      const record = this.#records.get(key, now);
      const lease = requireLease(key, record, fence, now);
      record.lease = { ...lease, untilMs: now + forMs };
    });
  }

  release(key: string, fence: number): Promise<boolean> {
    return this.#records.answer((now) => {
      checkFence(fence);
      const record = this.#records.get(key, now);
      if (record.lease && record.lease.fence !== fence) return false;
      record.lease = undefined;
      return true;
    });
  }

  create(
    key: string,
    data: string,
    lease: LeaseRequest,
    options: CreateOptions = {},
  ): Promise<GrantedLease> {
    return this.#records.answer((now) => {
      const [write, quotas] = this.#records.checkCreate(key, data, options);
      const asked = checkLease(lease);
      const applied = this.#records.findApplied(write);
      if (applied) return { fence: applied.fence };
      const fence = this.#records.nextFence(now);
      const stored = storedLease(asked, fence, now);
      this.#records.create(write, quotas, stored, now);
      return { fence };
    });
  }

  expire(
    key: string,
    fence: number,
    data: string,
    expected: ExpectedRecord,
    meta?: WriteOptions,
  ): Promise<number> {
    return this.#records.answer((now) => {
      const write = this.#records.checkWrite(key, data, meta);
      checkFence(fence);
      const checked = checkExpected(expected);
      const applied = this.#records.findApplied(write);
      if (applied) return applied.version;
      this.#records.get(key, now);
      const { lease } = this.#records.getExpected(key, checked, now);
      if (lease?.fence !== fence) throw new FencedError(key, fence);
      const remainingMs = lease.untilMs - now;
      if (remainingMs > 0) {
        throw new LeaseConflictError(key, lease.holder, remainingMs);
      }
      return this.#records.write(write, undefined, now);
    });
  }
}

/**
 * The lease with this fence, while it holds.
 *
 * @throws {FencedError} If it has ended.
 */
export function requireLease(
  key: string,
  record: StoredRecord,
  fence: number,
  now: number,
): StoredLease {
  const lease = heldLease(record, now);
  if (lease?.fence !== fence) throw new FencedError(key, fence);
  return lease;
}

function heldLease(
  { lease }: StoredRecord,
  now: number,
): StoredLease | undefined {
  return lease && lease.untilMs > now ? lease : undefined;
}

function storedLease(
  { holder, forMs }: LeaseRequest,
  fence: number,
  now: number,
): StoredLease {
  return { holder, fence, untilMs: now + forMs };
}
