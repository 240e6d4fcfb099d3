/**
 * An engine behind a `WatchHub` whose events, reads and own writes a test
 * brings in any order it likes.
 *
 * @module
 */

import type { VersionedRecord } from "../../src/storage/record.ts";
import { WatchHub } from "../../src/storage/watch.ts";
import type {
  ChangeListener,
  OwnWrite,
  Subscription,
  WatchedRecord,
  WatchSource,
  WrittenRecord,
} from "../../src/storage/watch_source.ts";
import { CloseSignal } from "../../src/util/close_signal.ts";
import { deadline } from "../support/wait.ts";

/** The key that is watched. */
export const KEY = "alice:t-1";

/** See the module. */
export class FakeEngine {
  readonly closed = new CloseSignal();
  readonly hub: WatchHub;
  /** What is stored. */
  record: WatchedRecord | undefined;
  reads = 0;
  subscriptions = 0;
  endedSubscriptions = 0;
  /** What a subscription waits for. */
  subscribing: Promise<void> = Promise.resolve();
  /** What a read waits for, once it has seen the record. */
  reading: Promise<unknown> = Promise.resolve();
  #listeners = new Set<ChangeListener>();
  #etags = 0;

  constructor(options: Partial<WatchSource> = {}) {
    this.hub = new WatchHub({
      closed: [this.closed],
      read: async () => {
        this.reads++;
        const { record } = this;
        await this.reading;
        return record;
      },
      subscribe: (_key, listener) => this.#subscribe(listener),
      ...options,
    });
    this.write("one");
  }

  /** Watches the key. */
  watch(signal?: AbortSignal): Watch {
    return new Watch(this.hub.watch(KEY, { signal }));
  }

  /** Stores the next version, of a new life if none is stored; no event. */
  store(data: string, more: Partial<WatchedRecord> = {}): WatchedRecord {
    const version = (this.record?.version ?? 0) + 1;
    const etag = `etag-${++this.#etags}`;
    return this.record = { data, version, etag, ...more };
  }

  /** Stores the next version and reports it. */
  write(data: string, more: Partial<WatchedRecord> = {}): void {
    this.emit(this.store(data, more).version);
  }

  /** Deletes the record and reports it. */
  delete(): void {
    this.record = undefined;
    this.emit(0);
  }

  emit(version: number | undefined): void {
    for (const listener of [...this.#listeners]) listener(version);
  }

  /** Begins a write of the hub's own side. */
  writing(): OwnWrite {
    return this.hub.writing(KEY);
  }

  /** Writes as the hub's own side does; the event comes before the answer. */
  ownWrite(data: string): void {
    const own = this.writing();
    this.write(data);
    own.done(this.record as WrittenRecord);
  }

  #subscribe(listener: ChangeListener): Subscription {
    this.subscriptions++;
    this.#listeners.add(listener);
    return {
      ready: this.subscribing,
      end: () => {
        this.endedSubscriptions++;
        this.#listeners.delete(listener);
      },
    };
  }
}

/** A watch, step by step. */
export class Watch {
  readonly iterator: AsyncIterator<VersionedRecord, void, void>;
  readonly #pending: Promise<IteratorResult<VersionedRecord, void>>[] = [];

  constructor(watch: AsyncIterable<VersionedRecord>) {
    this.iterator = watch[Symbol.asyncIterator]();
  }

  /** The record of the next step; `undefined` at the end. */
  async next(): Promise<VersionedRecord | undefined> {
    const step = this.#pending.shift() ?? this.iterator.next();
    const { done, value } = await deadline("the next step", step, 2000);
    return done ? undefined : value as VersionedRecord;
  }

  /** The data of the next step; `undefined` at the end. */
  async data(): Promise<string | undefined> {
    return (await this.next())?.data;
  }

  /** Begins the next step, and says whether it is settled within a moment. */
  async isSettled(): Promise<boolean> {
    const step = this.iterator.next();
    this.#pending.push(step);
    step.catch(() => {});
    const settled = step.then(() => true, () => true);
    return await Promise.race([settled, turn().then(() => false)]);
  }

  return(): Promise<unknown> {
    return this.iterator.return!();
  }
}

/** Lets everything run that waits for nothing. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Runs a body on a clock that is ahead of the real one. */
export async function later(
  ms: number,
  body: () => unknown,
): Promise<void> {
  const { now } = performance;
  performance.now = () => now.call(performance) + ms;
  try {
    await body();
  } finally {
    performance.now = now;
  }
}

/** A promise a test settles. */
export function gate(): { promise: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, open: resolve };
}
