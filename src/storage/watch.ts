/**
 * The loop behind every `watch`: read, yield what is new, sleep until a bell
 * rings (an event, the expiry, the slow safety re-read), read again.
 */

import type { VersionedRecord, WatchOptions } from "./backend.ts";
import { MAX_TIMER_MS } from "./checks.ts";
import type { CloseSignal } from "../util/close_signal.ts";
import { NotFoundError } from "./errors.ts";

/** A record and how long it will still live. */
export interface WatchedRecord extends VersionedRecord {
  /** Milliseconds until the record expires; left out: it does not. */
  readonly remainingMs?: number;
}

/** Tells of a change: `true` where the record was deleted. */
export type ChangeListener = (deleted: boolean) => void;

/** What the loop needs of a backend. */
export interface WatchSource {
  readonly key: string;
  /** The longest sleep between two reads, in milliseconds. */
  readonly refreshMs: number;
  /** Any of them is over when the backend is closed. */
  readonly closed: readonly CloseSignal[];
  /** Reads the live record, if there is one. */
  read(): Promise<WatchedRecord | undefined>;
  /**
   * Rings at every change from now on, and says if it was the end of the
   * record; resolves to how to stop it.
   */
  subscribe(ring: ChangeListener): Promise<() => Promise<void>>;
}

/** Watches one record; see `StorageBackend.watch` for what it promises. */
export async function* watchRecord(
  source: WatchSource,
  { signal }: WatchOptions,
): AsyncGenerator<VersionedRecord, void, void> {
  for (const closed of source.closed) closed.throwIfClosed();
  signal?.throwIfAborted();
  const bell = new Notifier(source.closed, signal);
  // Subscribed before the first read: a change between the two rings the bell.
  const unsubscribe = await source.subscribe((deleted) => bell.ring(deleted));
  try {
    let last: VersionedRecord | undefined;
    while (true) {
      bell.clear();
      const found = await source.read();
      bell.throwIfEnded();
      if (found === undefined) {
        if (last === undefined) throw new NotFoundError(source.key);
        return;
      }
      const due = performance.now() + (found.remainingMs ?? Infinity);
      const { remainingMs: _, ...record } = found;
      // What was deleted before the first read was not the record watched.
      if (last === undefined) bell.deleted = false;
      else if (bell.deleted || isAnother(found, last)) return;
      if (record.version !== last?.version) yield last = record;
      const sleepMs = Math.min(due - performance.now(), source.refreshMs);
      await bell.wait(Math.max(1, Math.min(sleepMs, MAX_TIMER_MS)));
    }
  } finally {
    bell.dispose();
    await unsubscribe();
  }
}

/** Made anew while we slept, though no event told us of its deletion. */
function isAnother(found: VersionedRecord, last: VersionedRecord): boolean {
  return found.version < last.version ||
    (found.version === last.version && found.etag !== last.etag);
}

/** Wakes one sleeper; a ring before the sleep counts, further rings coalesce. */
class Notifier {
  /** Whether a deletion was among the changes. */
  deleted = false;
  #rung = false;
  #wake?: () => void;
  readonly #endings: readonly CloseSignal[];
  readonly #signal: AbortSignal | undefined;
  readonly #release: readonly (() => void)[];
  readonly #onEnd = () => this.ring(false);

  /** Any of the endings, and the signal, end the watch with their reason. */
  constructor(
    endings: readonly CloseSignal[],
    signal: AbortSignal | undefined,
  ) {
    this.#endings = endings;
    this.#signal = signal;
    this.#release = endings.map((ending) => ending.subscribe(this.#onEnd));
    signal?.addEventListener("abort", this.#onEnd);
  }

  throwIfEnded(): void {
    for (const ending of this.#endings) ending.throwIfClosed();
    this.#signal?.throwIfAborted();
  }

  ring(deleted: boolean): void {
    this.deleted ||= deleted;
    this.#rung = true;
    this.#wake?.();
  }

  clear(): void {
    this.#rung = false;
  }

  /** Sleeps until the bell rings or the time is over; throws when ended. */
  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        unref(timer);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.throwIfEnded();
  }

  dispose(): void {
    for (const release of this.#release) release();
    this.#signal?.removeEventListener("abort", this.#onEnd);
  }
}

/** A sleeping watch alone does not keep a process alive. */
function unref(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}
