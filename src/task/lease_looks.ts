/**
 * Looks at watched tasks when their leases should have run out: no event tells
 * that a lease was taken, renewed or lost, and a look fails a task whose
 * worker is lost, which makes the event. All watches of a task share them. Of
 * a lease that its own store takes, a watch is told at once; of one that
 * another instance takes, by the next version or the next look.
 */

import { pairKey } from "../util/pair_key.ts";
import type { TaskRecord } from "./record.ts";
import type { DecodedRecord } from "./record_codec.ts";
import { isFinalStatus } from "./status.ts";

/** The delay before a lease that should have run out is looked at again. */
const MIN_LOOK_MS = 10;
/** The delay before a look that failed is repeated. */
const RETRY_MS = 1000;
/**
 * The longest time between two looks: another instance may have taken a lease
 * since, of whatever length.
 */
const SAFETY_LOOK_MS = 30_000;

/** Reads a task, which fails it if its worker is lost. */
export type Look = () => Promise<TaskRecord | undefined>;

/** The looks at all watched tasks of a store. */
export class LeaseLooks {
  readonly #watched = new Map<string, WatchedTask>();

  /**
   * Begins to look at a task.
   *
   * @returns What the watch reports to.
   */
  join(owner: string, taskId: string, look: Look): WatchedTask {
    const key = pairKey(owner, taskId);
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      watched = new WatchedTask(look, () => this.#watched.delete(key));
      this.#watched.set(key, watched);
    }
    watched.watches++;
    return watched;
  }

  /** Notes that this store has taken or renewed the lease of a task. */
  leased(record: TaskRecord): void {
    this.#watched.get(pairKey(record.ownerId, record.task.taskId))?.seen(
      record,
    );
  }
}

/** One task that is watched, by one watch or more. */
export class WatchedTask {
  watches = 0;
  /** The record that was decoded last, for all the watches. */
  decoded: DecodedRecord | undefined;
  readonly #look: Look;
  readonly #onEnd: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the next look is for the end of a lease. */
  #isForLease = false;

  constructor(look: Look, onEnd: () => void) {
    this.#look = look;
    this.#onEnd = onEnd;
  }

  /** Says what was seen of the task, which decides about the next look. */
  seen(record: TaskRecord): void {
    if (isFinalStatus(record.task.status)) return clearTimeout(this.#timer);
    const { lease } = record;
    // A record without one may have been read before it was taken.
    if (lease === undefined && this.#isForLease) return;
    this.#isForLease = lease !== undefined;
    this.#lookIn(lease?.remainingMs ?? SAFETY_LOOK_MS);
  }

  /** Ends a watch; with the last one, the looks end. */
  leave(): void {
    if (--this.watches > 0) return;
    clearTimeout(this.#timer);
    this.#onEnd();
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    const delay = Math.min(Math.max(ms, MIN_LOOK_MS), SAFETY_LOOK_MS);
    this.#timer = setTimeout(() => this.#lookNow(), delay);
    // A sleeping watch alone does not keep a process alive.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  async #lookNow(): Promise<void> {
    this.#isForLease = false;
    let record: TaskRecord | undefined;
    try {
      record = await this.#look();
    } catch {
      // The watch itself tells of a storage that fails.
      if (this.watches > 0 && !this.#isForLease) this.#lookIn(RETRY_MS);
      return;
    }
    if (this.watches > 0 && record !== undefined) this.seen(record);
  }
}
