/**
 * The names of recent writes and what each did: how a `MemoryBackend`
 * recognizes a write that is tried again.
 */

/** The result of a write. */
export interface AppliedWrite {
  /** The version it made; 0 for a deletion. */
  readonly version: number;
  /** The fence of the lease it left on the record; 0 for none. */
  readonly fence: number;
}

/**
 * The shortest time a write is recognized, in milliseconds, unless `MAX_WRITES`
 * follow sooner.
 */
const KEPT_MS = 60_000;

/** The most writes of one generation. */
const MAX_WRITES = 100_000;

/**
 * Two generations of writes: when the newer is full or as old as writes have
 * to be kept, the older is dropped whole. It belongs to no record, so it
 * outlives deletions and expiries.
 */
export class OperationTrace {
  #newer = new Map<string, AppliedWrite>();
  #older = new Map<string, AppliedWrite>();
  #beganAtMs = -Infinity;

  /** Finds the result of a write, if it was applied. */
  find(key: string, operationId: string): AppliedWrite | undefined {
    const name = nameOf(key, operationId);
    return this.#newer.get(name) ?? this.#older.get(name);
  }

  add(
    key: string,
    operationId: string,
    applied: AppliedWrite,
    now: number,
  ): void {
    const isOver = now - this.#beganAtMs >= KEPT_MS;
    if (isOver || this.#newer.size >= MAX_WRITES) {
      this.#older = this.#newer;
      this.#newer = new Map();
      this.#beganAtMs = now;
    }
    this.#newer.set(nameOf(key, operationId), applied);
  }

  clear(): void {
    this.#newer.clear();
    this.#older.clear();
  }
}

/** An operation id has no space, so no two pairs make one name. */
function nameOf(key: string, operationId: string): string {
  return `${operationId} ${key}`;
}
