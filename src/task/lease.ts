/** Leases as the records of tasks show them. */

import type { StorageBackend } from "../storage/backend.ts";
import type { LeaseRequest, LeaseStorage } from "../storage/leases.ts";
import type { LeaseState } from "../storage/record.ts";
import { isoTime } from "../util/time.ts";
import type { TaskRecord } from "./record.ts";

/**
 * Returns the leases of a backend.
 *
 * @throws {TypeError} If it has none.
 */
export function requireLeases({ leases }: StorageBackend): LeaseStorage {
  if (leases !== undefined) return leases;
  throw new TypeError(
    "the storage backend keeps no leases: expected one that does, as RedisBackend and MemoryBackend do",
  );
}

/** Returns a record under a lease, as of now. */
export function withLease(
  record: TaskRecord,
  { holder, fence, remainingMs }: LeaseState,
  now: number,
): TaskRecord {
  const expiresAt = isoTime(now + remainingMs);
  return { ...record, lease: { holder, fence, remainingMs, expiresAt } };
}

/** Returns the state of a lease that has just been granted. */
export function leaseState(
  { holder, forMs }: LeaseRequest,
  fence: number,
): LeaseState {
  return { holder, fence, remainingMs: forMs };
}
