/** What one owner has in a `MemoryBackend`; the indexes mirror those in Redis. */

import type { KeyedRecord, PageOrder, RecordMeta } from "../storage/backend.ts";
import type { Position } from "../storage/cursor.ts";
import { SortedIndex } from "./sorted_index.ts";

/** A record in memory. */
export interface StoredRecord {
  data: string;
  version: number;
  /** Epoch milliseconds; `Infinity`: never. */
  expiresAt: number;
}

/** One owner's records, in order of creation and of expiry. */
export class Owner {
  readonly records = new Map<string, StoredRecord>();
  readonly byCreation = new SortedIndex();
  readonly byExpiry = new SortedIndex();

  /** Removes what has expired and says how much that was. */
  expire(now: number): number {
    const gone = this.byExpiry.takeUpTo(now);
    for (const { task } of gone) {
      this.records.delete(task);
      this.byCreation.delete(task);
    }
    return gone.length;
  }

  write(task: string, data: string, meta: RecordMeta, now: number): number {
    const old = this.records.get(task);
    const version = (old?.version ?? 0) + 1;
    const expiresAt = meta.expiresAt ?? Infinity;
    if (expiresAt <= now) {
      this.delete(task);
      return version;
    }
    this.records.set(task, { data, version, expiresAt });
    const createdAt = meta.createdAt ?? this.byCreation.score(task) ?? now;
    this.byCreation.set(task, createdAt);
    if (expiresAt === Infinity) this.byExpiry.delete(task);
    else this.byExpiry.set(task, expiresAt);
    return version;
  }

  /** The rank of the first record behind a place, or at that end. */
  firstRank(order: PageOrder, after: Position | undefined): number {
    if (after === undefined) {
      return order === "oldest" ? 0 : this.byCreation.size - 1;
    }
    const place = { score: Number(after.createdAt), task: after.task };
    const rank = this.byCreation.rank(place);
    if (order === "newest") return rank - 1;
    const at = this.byCreation.at(rank);
    return at?.score === place.score && at.task === place.task
      ? rank + 1
      : rank;
  }

  recordAt(prefix: string, rank: number): KeyedRecord {
    const task = this.byCreation.at(rank)!.task;
    const { data, version } = this.records.get(task)!;
    return { key: prefix + task, data, version };
  }

  delete(task: string): boolean {
    this.byCreation.delete(task);
    this.byExpiry.delete(task);
    return this.records.delete(task);
  }
}
