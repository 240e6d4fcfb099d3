/**
 * The watches of a backend. One {@linkcode WatchHub} belongs to one backend
 * object; it keeps one feed for each key that is watched: one subscription and
 * one read, however many watch.
 *
 * What an engine does with it:
 *
 * - `watch(key, options)` is `StorageBackend.watch`, once the key is checked.
 * - Changes come through the subscription of the {@linkcode WatchSource}, or
 *   by `changed(key, version)` from an engine that sees every change itself.
 * - A write of a record announces itself with `writing(key)` before it is sent
 *   and says with `done` what it did: its event then needs no read.
 * - `saw(key, …)` reports what a read or a refused write found, so that no
 *   later watch begins with less.
 *
 * Without a feed for the key each of these is one look into a map.
 *
 * @module
 */

import type { CloseSignal } from "../util/close_signal.ts";
import type { VersionedRecord, WatchOptions } from "./backend.ts";
import { Feed } from "./feed.ts";
import type { LeaseState } from "./leases.ts";
import { Watcher } from "./watcher.ts";

/** A record as an engine reads it for a watch. */
export interface WatchedRecord extends VersionedRecord {
  /** Milliseconds until the record expires; left out: it does not. */
  readonly remainingMs?: number | undefined;
}

/** A record as a write of the same backend object has left it. */
export interface WrittenRecord extends Omit<WatchedRecord, "lease"> {
  /** The lease; `"kept"`: as it was before; left out: there is none. */
  readonly lease?: LeaseState | "kept" | undefined;
}

/**
 * Receives changes of a record: its new version, 0 for its deletion,
 * `undefined` where changes may have been missed.
 */
export type ChangeListener = (version: number | undefined) => void;

/** A subscription to changes. */
export interface Subscription {
  /**
   * Resolves once every later change is reported, and rejects if that is not
   * to be had; left out: it is so from the start.
   */
  readonly ready?: Promise<void> | undefined;
  /** Ends it at once, ready or not; what that takes is done later. */
  end(): void;
}

/** A write under way; see {@linkcode WatchHub.writing}. */
export interface OwnWrite {
  /**
   * Says what it did: the record it left, `"deleted"`, or nothing where it was
   * refused or failed, or the outcome is unknown. Only the first call counts; without
   * one, the watches of the key wait.
   */
  done(result?: WrittenRecord | "deleted"): void;
}

/** What a hub needs of its engine. */
export interface WatchSource {
  /** Any of them closes the hub; its reason is what the watches then throw. */
  readonly closed: readonly CloseSignal[];
  /** The longest time without a read, in milliseconds. Default: no bound. */
  readonly refreshMs?: number | undefined;
  /**
   * The age, in milliseconds, up to which a watch that joins a feed may begin
   * with the record the feed has. It does so only while the subscription is
   * live and no change is known that the record lacks. Events are in flight
   * for a moment, and there are writers that make none, hence the bound.
   * Default: 0, every watch begins with a read made after it joined.
   */
  readonly reuseMs?: number | undefined;
  /** Reads the live record, if there is one. It may answer synchronously. */
  read(
    key: string,
  ): WatchedRecord | undefined | Promise<WatchedRecord | undefined>;
  /** Subscribes to the changes of a record; left out: see `changed`. */
  subscribe?(key: string, listener: ChangeListener): Subscription;
}

/** The handle of a write without watches. */
const UNWATCHED: OwnWrite = { done() {} };

/**
 * Watches records, all watches of one key by one feed.
 *
 * @example The watches of an engine
 * ```ts ignore
 * const hub = new WatchHub({
 *   closed: [closed],
 *   refreshMs: 30_000,
 *   read: (key) => readRecord(key),
 *   subscribe: (key, listener) => events.changes(channelOf(key), listener),
 * });
 * const own = hub.writing(key);
 * try {
 *   const version = await send(write);
 *   own.done({ data, version, etag: operationId, lease: "kept" });
 * } finally {
 *   own.done(); // counts only if nothing was said before
 * }
 * ```
 */
export class WatchHub {
  readonly #source: WatchSource;
  readonly #feeds = new Map<string, Feed>();
  #release: readonly (() => void)[] = [];
  #end: { readonly reason: unknown } | undefined;

  /**
   * A hub without watches.
   *
   * @param source What is read and subscribed to, and what closes the hub.
   */
  constructor(source: WatchSource) {
    this.#source = source;
    this.#release = source.closed.map((closed) =>
      closed.subscribe((reason) => this.#close(reason))
    );
    if (this.#end) this.#releaseAll();
  }

  /** Watches a record; see `StorageBackend.watch` for what it promises. */
  watch(
    key: string,
    { signal }: WatchOptions = {},
  ): AsyncIterableIterator<VersionedRecord, void, void> {
    return new Watcher((watcher) => this.#join(key, watcher), signal);
  }

  /**
   * Announces a write of a record before it is sent. An event that arrives
   * until it is done causes no read before that, and none at all if it was the
   * write's own.
   */
  writing(key: string): OwnWrite {
    return this.#feeds.get(key)?.writing() ?? UNWATCHED;
  }

  /**
   * Reports what was found under a key: the record, or only its version where
   * no more is known (0: there is none).
   */
  saw(key: string, found: WatchedRecord | number): void {
    this.#feeds.get(key)?.saw(found);
  }

  /** Reports that a lease of this fence lasts `forMs` milliseconds from now. */
  renewed(key: string, fence: number, forMs: number): void {
    this.#feeds.get(key)?.renewed(fence, forMs);
  }

  /**
   * Reports a change, from an engine without subscriptions.
   *
   * @param version The new version; 0: the record was deleted.
   */
  changed(key: string, version: number): void {
    this.#feeds.get(key)?.changed(version);
  }

  /** How many keys are watched. */
  get size(): number {
    return this.#feeds.size;
  }

  #join(key: string, watcher: Watcher): Feed {
    if (this.#end) throw this.#end.reason;
    let feed = this.#feeds.get(key);
    if (feed === undefined) {
      const made = new Feed(key, this.#source, () => {
        // By now a later feed may have the key.
        if (this.#feeds.get(key) === made) this.#feeds.delete(key);
      });
      this.#feeds.set(key, feed = made);
    }
    feed.join(watcher);
    return feed;
  }

  #close(reason: unknown): void {
    if (this.#end) return;
    this.#end = { reason };
    for (const feed of [...this.#feeds.values()]) feed.fail(reason);
    this.#releaseAll();
  }

  /** A connection may outlive the backend: it must not keep its hub. */
  #releaseAll(): void {
    for (const release of this.#release) release();
    this.#release = [];
  }
}
