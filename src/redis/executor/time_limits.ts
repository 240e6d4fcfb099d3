/**
 * One timer for the time limits of all operations of a connection. All are
 * equally long, so that they run out in the order they were set.
 */

import { deadline } from "../../util/deadline.ts";

/** A limit in the list. */
export interface TimeLimit {
  /** Called when the time has run out. */
  onTimeout(): void;
  /** When that is, as `performance.now()` has it. */
  atMs: number;
  /** The limit before it, while it is in the list. */
  previous: TimeLimit | undefined;
  /** The limit behind it, while it is in the list. */
  next: TimeLimit | undefined;
}

/** The limits of one connection, in order. */
export class TimeLimits {
  #first: TimeLimit | undefined;
  #last: TimeLimit | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #onEmpty: (() => void) | undefined;

  /** Adds a limit. */
  add(limit: TimeLimit): void {
    limit.previous = this.#last;
    limit.next = undefined;
    if (this.#last) this.#last.next = limit;
    else this.#first = limit;
    this.#last = limit;
    this.#timer ??= this.#arm(limit);
  }

  /** Takes a limit out. */
  remove(limit: TimeLimit): void {
    const { previous, next } = limit;
    if (previous) previous.next = next;
    else if (this.#first === limit) this.#first = next;
    if (next) next.previous = previous;
    else if (this.#last === limit) this.#last = previous;
    if (this.#first !== undefined) return;
    this.clear();
    this.#onEmpty?.();
  }

  /** Waits until there are no limits, or for `ms`: then all run out at once. */
  async drain(ms: number): Promise<void> {
    if (this.#first === undefined) return;
    const empty = new Promise<void>((resolve) => this.#onEmpty = resolve);
    await deadline(empty, ms).catch(() => {});
    while (this.#first) this.#runOut(this.#first);
  }

  /** Ends the timer. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(limit: TimeLimit): ReturnType<typeof setTimeout> {
    return setTimeout(
      () => this.#expire(),
      Math.max(1, limit.atMs - performance.now()),
    );
  }

  #expire(): void {
    this.#timer = undefined;
    // A timer may fire a little early.
    const now = performance.now() + 1;
    while (this.#first && this.#first.atMs <= now) {
      this.#runOut(this.#first);
    }
    if (this.#first) this.#timer = this.#arm(this.#first);
  }

  #runOut(limit: TimeLimit): void {
    this.remove(limit);
    limit.onTimeout();
  }
}
