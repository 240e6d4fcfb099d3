/** A watched record as a backend object has last found it. */

import type { VersionedRecord } from "./record.ts";
import type { WatchedRecord, WrittenRecord } from "./watch_source.ts";

/** A record as it was found. Times are on the clock of `performance.now`. */
export interface Observation {
  record: WatchedRecord;
  /** When the look for it began: it is at least as new as that. */
  lookedAt: number;
  /** When it was found; the lease's time left counts from then. */
  foundAt: number;
  /** When this version was found for the first time. */
  readonly firstFoundAt: number;
  /** When it expires; `Infinity`: never. */
  expiresAt: number;
}

/** Makes an observation of a record found now. */
export function observation(
  record: WatchedRecord,
  lookedAt: number,
): Observation {
  const now = performance.now();
  return {
    record,
    lookedAt,
    foundAt: now,
    firstFoundAt: now,
    expiresAt: now + (record.remainingMs ?? Infinity),
  };
}

/** Whether two looks have found the same write of a record. */
export function isSame(one: VersionedRecord, other: VersionedRecord): boolean {
  return one.version === other.version && one.etag === other.etag &&
    // Without an etag only the data can tell.
    (one.etag !== "" || one.data === other.data);
}

/** The record as a watch yields it, its lease with the time left by now. */
export function yielded(found: Observation): VersionedRecord {
  const { data, version, etag } = found.record;
  const lease = leaseNow(found);
  return lease ? { data, version, etag, lease } : { data, version, etag };
}

/** The record of an own write, its lease taken from what was known before. */
export function written(
  { lease, ...record }: WrittenRecord,
  before: Observation,
): WatchedRecord {
  const now = lease === "kept" ? leaseNow(before) : lease;
  return now ? { ...record, lease: now } : record;
}

function leaseNow({ record: { lease }, foundAt }: Observation) {
  if (lease === undefined) return undefined;
  const elapsedMs = performance.now() - foundAt;
  return { ...lease, remainingMs: lease.remainingMs - elapsedMs };
}
