/**
 * A sorted set of members by score, then by member in byte order: what a Redis
 * sorted set is to `RedisBackend`, this is to `MemoryBackend`.
 */

/** One member and its score. */
export interface IndexEntry {
  readonly score: number;
  readonly member: string;
}

/** Insertion at the end, where new tasks go, is O(1); elsewhere a memmove. */
export class SortedIndex {
  readonly #entries: IndexEntry[] = [];
  readonly #scores = new Map<string, number>();

  get size(): number {
    return this.#entries.length;
  }

  score(member: string): number | undefined {
    return this.#scores.get(member);
  }

  /** Adds a member or moves it. */
  set(member: string, score: number): void {
    if (this.#scores.get(member) === score) return;
    this.delete(member);
    const entry = { score, member };
    this.#entries.splice(this.rank(entry), 0, entry);
    this.#scores.set(member, score);
  }

  /** Removes a member; `true` if it was there. */
  delete(member: string): boolean {
    const score = this.#scores.get(member);
    if (score === undefined) return false;
    this.#entries.splice(this.rank({ score, member }), 1);
    return this.#scores.delete(member);
  }

  /** Counts the members before a place, itself not counted. */
  rank(place: IndexEntry): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(this.#entries[middle]!, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The member at a rank. */
  at(rank: number): IndexEntry | undefined {
    return this.#entries[rank];
  }

  /** Removes and returns all members with a score of at most this. */
  takeUpTo(score: number): IndexEntry[] {
    const above = this.#entries.findIndex((entry) => entry.score > score);
    const count = above < 0 ? this.#entries.length : above;
    if (count === 0) return [];
    const taken = this.#entries.splice(0, count);
    for (const { member } of taken) this.#scores.delete(member);
    return taken;
  }
}

function compare(a: IndexEntry, b: IndexEntry): number {
  return a.score - b.score || compareBytes(a.member, b.member);
}

/** The order of the UTF-8 bytes, which is that of the code points. */
function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // A surrogate is half of a code point above all other UTF-16 units.
    const xHigh = x >= 0xd800 && x <= 0xdfff;
    const yHigh = y >= 0xd800 && y <= 0xdfff;
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1;
  }
  return a.length - b.length;
}
