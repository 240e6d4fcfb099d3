/**
 * Hints that a record wants a worker at a time. Nothing depends on a hint: a
 * lost or doubled one never loses or doubles work, since the record and its
 * lease decide.
 *
 * @module
 */

/** Options of {@linkcode DueStorage.offer}. */
export interface OfferOptions {
  /**
   * When the hint is of no more use, such as the end of the record, in epoch
   * milliseconds. From then on the storage may drop it, and keeps nothing of a
   * queue whose hints are all past that. Default: never.
   */
  readonly expiresAt?: number | undefined;
}

/** A hint that was claimed. */
export interface DueClaim {
  /** The key of the record. */
  readonly key: string;
  /** The queue it was offered to. */
  readonly queue: string;
}

/** The answer to a claim. */
export interface DueClaims {
  /** The claimed hints; of one queue and owner, the earliest first. */
  readonly claims: readonly DueClaim[];
  /**
   * The time until the next hint of these queues is due, in milliseconds, 0
   * if more are due now; left out: there is none.
   */
  readonly nextInMs?: number;
}

/**
 * Hints of a backend, in queues.
 *
 * Every method throws `TypeError` for an empty queue name or a list of queues
 * that is no array, and what every method of a backend throws.
 *
 * @example A claim gives each hint to one caller
 * ```ts
 * import { makeKey, MemoryBackend } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using backend = new MemoryBackend();
 * const key = makeKey("alice", "t-1");
 * await backend.due.offer(key, "report@1", Date.now());
 * const { claims } = await backend.due.claim(["report@1"], 10, 30_000);
 * assertEquals(claims, [{ key, queue: "report@1" }]);
 * assertEquals((await backend.due.claim(["report@1"], 10, 30_000)).claims, []);
 * ```
 */
export interface DueStorage {
  /**
   * Adds a hint, or moves the one that is there.
   *
   * @param atMs When the record wants a worker, in epoch milliseconds.
   */
  offer(
    key: string,
    queue: string,
    atMs: number,
    options?: OfferOptions,
  ): Promise<void>;

  /** Removes a hint; `true` if it was there. */
  withdraw(key: string, queue: string): Promise<boolean>;

  /**
   * Takes hints that are due and puts each off by `forMs`: unless it is
   * withdrawn or moved by then, it is due again.
   *
   * @param limit The most hints to take, an integer from 1 to 1,000.
   */
  claim(
    queues: readonly string[],
    limit: number,
    forMs: number,
  ): Promise<DueClaims>;

  /**
   * Calls back when a hint of these queues has become the earliest, and when
   * notifications may have been missed.
   *
   * A listener that throws, or returns a promise that rejects, stops nothing
   * else: the backend's `onWarning` is called with the error.
   *
   * @throws {TypeError} If the listener is no function.
   * @returns A function that ends the subscription.
   */
  subscribe(
    queues: readonly string[],
    listener: () => void,
  ): Promise<() => Promise<void>>;
}
