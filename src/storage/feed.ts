/**
 * The feed of one key: its watches, the subscription they share, and the reads
 * that serve all of them.
 */

import { WakeTimer } from "../util/wake_timer.ts";
import { NotFoundError } from "./errors.ts";
import { setLease, written } from "./observation.ts";
import type { LeaseState } from "./record.ts";
import { RecordView } from "./record_view.ts";
import type {
  OwnWrite,
  Subscription,
  WatchedRecord,
  WatchSource,
  WrittenRecord,
} from "./watch_source.ts";
import type { Watcher } from "./watcher.ts";

/**
 * The time until a record that should have ended is read again, in
 * milliseconds.
 */
const CLOCK_BEHIND_MS = 100;

/** See the module. The hub makes it; it is over when its last watch is. */
export class Feed {
  readonly #key: string;
  readonly #source: WatchSource;
  readonly #onOver: () => void;
  readonly #watchers = new Set<Watcher>();
  readonly #view = new RecordView();
  readonly #timer: WakeTimer;
  #subscription: Subscription | undefined;
  /** Whether every change is reported from now on. */
  #isLive = false;
  #isOver = false;
  #isReading = false;
  #readAt = 0;
  /** Own writes under way. */
  #writes = 0;

  /** @param onOver Called once, when no watch is left. */
  constructor(key: string, source: WatchSource, onOver: () => void) {
    this.#key = key;
    this.#source = source;
    this.#onOver = onOver;
    this.#timer = new WakeTimer(() => this.#wakeAt(), () => {
      this.#view.isStale = true;
      this.#readIfNeeded();
    });
  }

  /** Adds a watch. It begins with what is known, or with the next read. */
  join(watcher: Watcher): void {
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#open();
    else this.#offer(watcher);
    this.#readIfNeeded();
  }

  /** Removes a watch; the last one ends the feed and its subscription. */
  leave(watcher: Watcher): void {
    if (this.#watchers.delete(watcher) && this.#watchers.size === 0) {
      this.#close();
    }
  }

  /** Ends the feed and all its watches with an error. */
  fail(reason: unknown): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    this.#close();
    for (const watcher of watchers) watcher.fail(reason);
  }

  /** See `WatchHub.writing`. */
  writing(): OwnWrite {
    const look = this.#view.look();
    let isDone = false;
    this.#writes++;
    const done = (result?: WrittenRecord | "deleted") => {
      if (isDone) return;
      isDone = true;
      this.#writes--;
      const { current, life } = this.#view;
      if (result === "deleted") {
        // An event may have reported it, and a new life have begun since.
        if (life === look.life) this.#endLife();
        this.#view.isStale = true;
      } else if (result !== undefined && current !== undefined) {
        // With an expiry that has passed it has left none, says the storage.
        const isExpired = (result.remainingMs ?? Infinity) <= 0;
        // A write in between may have changed the lease.
        const isLeaseUnknown = result.lease === "kept" &&
          result.version !== current.record.version + 1;
        if (isExpired || isLeaseUnknown) this.#view.isStale = true;
        else this.#found(written(result, current), look);
      }
      this.#readIfNeeded();
    };
    return { done };
  }

  /** See `WatchHub.saw`. */
  saw(found: WatchedRecord | number): void {
    const { current, version } = this.#view;
    // Before the first read there is nothing it could correct.
    if (current === undefined) return;
    if (typeof found === "number") this.#view.isStale ||= found !== version;
    else {
      // It is not known when that look began, nor what was known then.
      const look = { ...this.#view.look(-Infinity), before: undefined };
      this.#found(found, look);
    }
    this.#readIfNeeded();
  }

  /** See `WatchHub.leased`. */
  leased(lease: LeaseState): void {
    const { current } = this.#view;
    if (current !== undefined) setLease(current, lease);
  }

  /** See `WatchHub.renewed`. */
  renewed(fence: number, remainingMs: number): void {
    const { current } = this.#view;
    const lease = current?.record.lease;
    if (current === undefined || lease?.fence !== fence) return;
    setLease(current, remainingMs > 0 ? { ...lease, remainingMs } : undefined);
  }

  /** Takes an event; see `ChangeListener`. */
  changed(version: number | undefined): void {
    if (this.#isOver) return;
    if (version === undefined) this.#view.isStale = true;
    else if (version > 0) this.#view.written(version);
    else if (this.#view.deleted()) this.#endWatches();
    this.#readIfNeeded();
  }

  #open(): void {
    try {
      this.#subscription = this.#source.subscribe?.(
        this.#key,
        (version) => this.changed(version),
      );
    } catch (reason) {
      return this.fail(reason);
    }
    const ready = this.#subscription?.ready;
    if (ready === undefined) this.#isLive = true;
    else {
      ready.then(() => {
        this.#isLive = true;
        this.#readIfNeeded();
      }, (reason) => this.fail(reason));
    }
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer.stop();
    this.#onOver();
    this.#subscription?.end();
  }

  /** Reads unless an own write is under way: it may say what is wanted. */
  #readIfNeeded(): void {
    if (this.#isOver || !this.#isLive) return;
    if (this.#isReading || this.#writes > 0) return;
    if (this.#view.isUpToDate) return this.#timer.arm();
    this.#isReading = true;
    const look = this.#view.read();
    this.#readAt = look.at;
    const settle = (found: WatchedRecord | undefined) => {
      this.#isReading = false;
      if (this.#isOver) return;
      // A life has ended meanwhile: what was found may be of that one.
      if (look.life !== this.#view.life) this.#view.isStale = true;
      else if (found === undefined) this.#absent();
      else this.#found(found, look);
      this.#readIfNeeded();
    };
    try {
      const found = this.#source.read(this.#key);
      if (found instanceof Promise) {
        found.then(settle, (reason) => this.fail(reason));
      } else settle(found);
    } catch (reason) {
      this.fail(reason);
    }
  }

  #found(...found: Parameters<RecordView["found"]>): void {
    if (this.#view.found(...found)) this.#endWatches();
    for (const watcher of [...this.#watchers]) this.#offer(watcher);
  }

  #absent(): void {
    this.#endLife();
    // An event has reported a record since the read began.
    if (this.#view.isAwaited) return;
    for (const watcher of [...this.#watchers]) {
      watcher.fail(new NotFoundError(this.#key));
    }
  }

  #endLife(): void {
    this.#view.end();
    this.#endWatches();
  }

  /** Ends the watches that have had a record: its life is over. */
  #endWatches(): void {
    for (const watcher of [...this.#watchers]) {
      if (watcher.hasBegun) watcher.end();
    }
  }

  /** Offers a watch what is known, if that is not too old to begin with. */
  #offer(watcher: Watcher): void {
    const { current } = this.#view;
    if (current === undefined) return;
    const isNewEnough = watcher.hasBegun ||
      current.lookedAt >= watcher.joinedAt || this.#isReusable(watcher);
    if (isNewEnough) watcher.offer(current);
    else this.#view.isStale = true;
  }

  /**
   * Whether what was known before a watch joined is still good for it. Nothing
   * is known before the subscription is live, and its loss makes it stale.
   */
  #isReusable({ joinedAt }: Watcher): boolean {
    const { current, isUpToDate } = this.#view;
    const { reuseMs = 0 } = this.#source;
    return isUpToDate && !this.#isReading &&
      current !== undefined && current.expiresAt > performance.now() &&
      current.lookedAt >= joinedAt - reuseMs;
  }

  /** When the record has expired or must be read for safety. */
  #wakeAt(): number {
    const { refreshMs = Infinity } = this.#source;
    const expiresAt = this.#view.current?.expiresAt ?? Infinity;
    // Found though it should have ended: the storage's clock is behind ours.
    const nextMs = expiresAt <= this.#readAt
      ? this.#readAt + CLOCK_BEHIND_MS
      : expiresAt;
    return Math.min(nextMs, this.#readAt + refreshMs);
  }
}
