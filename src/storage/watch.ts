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

import type { VersionedRecord, WatchOptions } from "./record.ts";
import { Feed } from "./feed.ts";
import { Watcher } from "./watcher.ts";
import type { OwnWrite, WatchedRecord, WatchSource } from "./watch_source.ts";

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

  /** Whether the key is watched: only then is there anything to report. */
  isWatched(key: string): boolean {
    return this.#feeds.has(key);
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

  /** The number of watched keys. */
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
