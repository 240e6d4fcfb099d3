/** One `watch`: the iterator between a feed and the loop of its reader. */

import type { VersionedRecord } from "./record.ts";
import { isSame, type Observation, yielded } from "./observation.ts";

type Step = IteratorResult<VersionedRecord, void>;

interface Request {
  resolve(step: Step): void;
  reject(reason: unknown): void;
}

/** The feed that a watch has joined; see `Feed`. */
interface JoinedFeed {
  leave(watcher: Watcher): void;
}

/** The step after the last one. */
const DONE: Step = { done: true, value: undefined };

/**
 * Yields what its feed offers, the newest record only. Its end waits for
 * nothing: `return`, an abort and an error settle a step that is pending.
 */
export class Watcher
  implements AsyncIterableIterator<VersionedRecord, void, void> {
  readonly #join: (watcher: Watcher) => JoinedFeed;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.fail(this.#signal!.reason);
  readonly #requests: Request[] = [];
  #started = false;
  #feed: JoinedFeed | undefined;
  /** The record that was last offered. */
  #offered: VersionedRecord | undefined;
  /** The same while it is still to be yielded. */
  #pending: Observation | undefined;
  #over = false;
  #failure: { readonly reason: unknown } | undefined;
  /** When it joined its feed, on the clock of `performance.now`. */
  joinedAt = 0;

  /** @param join Joins the feed, at the first step. */
  constructor(
    join: (watcher: Watcher) => JoinedFeed,
    signal: AbortSignal | undefined,
  ) {
    this.#join = join;
    this.#signal = signal;
  }

  /** Whether it has been offered a record. */
  get hasBegun(): boolean {
    return this.#offered !== undefined;
  }

  next(): Promise<Step> {
    return new Promise((resolve, reject) => {
      this.#requests.push({ resolve, reject });
      if (!this.#started) this.#start();
      this.#answer();
    });
  }

  return(): Promise<Step> {
    this.#started = true;
    this.#pending = this.#failure = undefined;
    this.end();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Takes a record of the feed; one it was offered before is no news. */
  offer(observation: Observation): void {
    const { record } = observation;
    if (this.#over || (this.#offered && isSame(record, this.#offered))) return;
    this.#offered = record;
    this.#pending = observation;
    this.#answer();
  }

  /** Ends the iteration, after the record still to be yielded. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#feed?.leave(this);
    this.#feed = undefined;
    this.#answer();
  }

  /** Ends the iteration with an error, at once. */
  fail(reason: unknown): void {
    if (this.#over) return;
    this.#pending = undefined;
    this.#failure = { reason };
    this.end();
  }

  #start(): void {
    this.#started = true;
    try {
      this.#signal?.throwIfAborted();
      this.joinedAt = performance.now();
      this.#signal?.addEventListener("abort", this.#onAbort);
      const feed = this.#join(this);
      // A feed may offer, end and fail while it is joined.
      if (this.#over) feed.leave(this);
      else this.#feed = feed;
    } catch (reason) {
      this.fail(reason);
    }
  }

  #answer(): void {
    while (this.#requests.length > 0) {
      const step = this.#take();
      if (step === undefined) return;
      const request = this.#requests.shift()!;
      if (this.#failure) {
        request.reject(this.#failure.reason);
        this.#failure = undefined;
      } else request.resolve(step);
    }
  }

  /** The next step, if there is one. */
  #take(): Step | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    // An expired record is absent; while the watch goes on, its feed decides.
    const isLost = this.#over && pending !== undefined &&
      pending.expiresAt <= performance.now();
    if (pending && !isLost) return { done: false, value: yielded(pending) };
    return this.#over ? DONE : undefined;
  }
}
