/**
 * The records of one owner in a `MemoryBackend`; the indexes mirror those in
 * Redis.
 */

import type { VersionedRecord } from "../storage/record.ts";
import type { CheckedWrite } from "../storage/checks.ts";
import { SortedIndex } from "./sorted_index.ts";

/** A lease in memory. */
export interface StoredLease {
  readonly holder: string;
  readonly fence: number;
  /** When it runs out, in epoch milliseconds. */
  readonly untilMs: number;
}

/** A recorded step in memory. */
export interface StoredStep {
  readonly fence: number;
  readonly data: string;
}

/** A record in memory. */
export interface StoredRecord {
  readonly data: string;
  readonly version: number;
  readonly etag: string;
  /** Epoch milliseconds; `Infinity`: never. */
  readonly expiresAt: number;
  lease: StoredLease | undefined;
  /** Made with the first step. */
  steps: Map<string, StoredStep> | undefined;
}

/** The state a write gives to a record. */
export interface RecordChange extends CheckedWrite {
  readonly data: string;
  /** The lease the record has from then on. */
  readonly lease: StoredLease | undefined;
}

/** One owner's records, in order of creation and of expiry. */
export class OwnerRecords {
  readonly records = new Map<string, StoredRecord>();
  readonly byCreation = new SortedIndex();
  readonly activeByCreation = new SortedIndex();
  readonly #byExpiry = new SortedIndex();

  /** Removes what has expired and says how much that was. */
  expire(now: number): number {
    const expired = this.#byExpiry.takeUpTo(now);
    for (const { member: task } of expired) this.delete(task);
    return expired.length;
  }

  /**
   * Writes a record; {@linkcode OwnerRecords.expire} must have been called.
   *
   * @returns Its version, also where it has expired already and is not stored.
   */
  write(task: string, change: RecordChange, now: number): number {
    const old = this.records.get(task);
    const version = (old?.version ?? 0) + 1;
    const { data, operationId: etag, lease, expiresAt = Infinity } = change;
    if (expiresAt <= now) {
      this.delete(task);
      return version;
    }
    const steps = old?.steps;
    this.records.set(task, { data, version, etag, expiresAt, lease, steps });
    const createdAt = change.createdAt ?? this.byCreation.score(task) ?? now;
    this.byCreation.set(task, createdAt);
    if (change.active) this.activeByCreation.set(task, createdAt);
    else this.activeByCreation.delete(task);
    if (expiresAt === Infinity) this.#byExpiry.delete(task);
    else this.#byExpiry.set(task, expiresAt);
    return version;
  }

  delete(task: string): void {
    this.byCreation.delete(task);
    this.activeByCreation.delete(task);
    this.#byExpiry.delete(task);
    this.records.delete(task);
  }
}

/** A record as a caller reads it at that moment. */
export function readRecord(
  { data, version, etag, lease }: StoredRecord,
  now: number,
): VersionedRecord {
  if (lease === undefined) return { data, version, etag };
  const { holder, fence, untilMs } = lease;
  const remainingMs = untilMs - now;
  return { data, version, etag, lease: { holder, fence, remainingMs } };
}
