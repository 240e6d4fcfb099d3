/**
 * The tasks that streams of this process listen to: each is watched once, and
 * written for the wire once, however many listen.
 */

import { TaskNotFoundError } from "../../task/errors.ts";
import type { TaskRecord } from "../../task/record.ts";
import { isFinalStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { watchWithRetry } from "../../task/watch_with_retry.ts";
import { detailedTask } from "./wire.ts";

/** Is notified that a task has a later state than it has sent. */
export type FeedListener = (feed: TaskFeed) => void;

/** The parts of feeds. */
export interface TaskFeedsOptions {
  readonly store: TaskStore;
  readonly onError: (error: unknown) => void;
}

const ENCODER = new TextEncoder();

/** The tasks that are listened to. */
export class TaskFeeds {
  readonly #options: TaskFeedsOptions;
  readonly #feeds = new Map<string, TaskFeed>();

  constructor(options: TaskFeedsOptions) {
    this.#options = options;
  }

  /** The number of tasks watched. */
  get size(): number {
    return this.#feeds.size;
  }

  /** Whether the task is listened to, and is known to be there. */
  has(taskId: string, owner: string): boolean {
    return this.#feeds.get(keyOf(taskId, owner))?.record !== undefined;
  }

  /**
   * Listens to a task: to what it is and to every later state, until it has
   * ended or is no more.
   *
   * @returns How to leave; a second call does nothing.
   */
  join(taskId: string, owner: string, listener: FeedListener): () => void {
    const key = keyOf(taskId, owner);
    let feed = this.#feeds.get(key);
    if (feed === undefined) {
      const { store, onError } = this.#options;
      const made = new TaskFeed(
        (signal) => store.watch(taskId, owner, { signal }),
        onError,
        () => {
          // By now a later feed may have the key.
          if (this.#feeds.get(key) === made) this.#feeds.delete(key);
        },
      );
      this.#feeds.set(key, feed = made);
    }
    return feed.join(listener);
  }
}

/** One task. */
export class TaskFeed {
  readonly #listeners = new Set<FeedListener>();
  readonly #stop = new AbortController();
  readonly #onEnd: () => void;
  #record: TaskRecord | undefined;
  /** For as long as a stream sends it: kept longer, all tasks would be twice. */
  #body: WeakRef<Uint8Array> | undefined;

  constructor(
    watch: (signal: AbortSignal) => AsyncIterable<TaskRecord>,
    onError: (error: unknown) => void,
    onEnd: () => void,
  ) {
    this.#onEnd = onEnd;
    this.#follow(watch, onError);
  }

  /** The task as it is; `undefined` before it was read. */
  get record(): TaskRecord | undefined {
    return this.#record;
  }

  /**
   * The fields of the task as JSON, without the brace that ends them. All
   * streams share the bytes: they must be copied, not handed on.
   */
  get body(): Uint8Array {
    let bytes = this.#body?.deref();
    if (bytes === undefined) {
      const text = JSON.stringify(detailedTask(this.#record!));
      bytes = ENCODER.encode(text.slice(0, -1));
      this.#body = new WeakRef(bytes);
    }
    return bytes;
  }

  /** Adds a listener, and notifies it of the state that is known. */
  join(listener: FeedListener): () => void {
    const own: FeedListener = (feed) => listener(feed);
    this.#listeners.add(own);
    if (this.#record !== undefined) own(this);
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return;
      this.#onEnd();
      this.#stop.abort();
    };
  }

  async #follow(
    watch: (signal: AbortSignal) => AsyncIterable<TaskRecord>,
    onError: (error: unknown) => void,
  ): Promise<void> {
    const { signal } = this.#stop;
    try {
      const versions = watchWithRetry(() => watch(signal), { signal, onError });
      for await (const record of versions) {
        // A watch that was opened again begins with what is known already.
        if (isSameState(record, this.#record)) continue;
        this.#record = record;
        this.#body = undefined;
        for (const listener of [...this.#listeners]) listener(this);
        if (isFinalStatus(record.task.status)) return;
      }
    } catch (error) {
      // All have left, or the task is no more: no word is missed.
      if (!signal.aborted && !(error instanceof TaskNotFoundError)) {
        onError(error);
      }
    } finally {
      this.#onEnd();
    }
  }
}

function isSameState(one: TaskRecord, other: TaskRecord | undefined): boolean {
  return one.version === other?.version && one.etag === other.etag;
}

/** One for each pair: neither part may end in the middle of the other. */
function keyOf(taskId: string, owner: string): string {
  return JSON.stringify([owner, taskId]);
}
