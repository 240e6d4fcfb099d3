/**
 * The tasks that streams of this process listen to: each is watched once, and
 * written for the wire once, however many listen.
 */

import { TaskNotFoundError } from "../../task/errors.ts";
import type { TaskRecord } from "../../task/record.ts";
import { isFinalStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { watchWithRetry } from "../../task/watch_with_retry.ts";
import { pairKey } from "../../util/pair_key.ts";
import { detailedTask } from "./wire.ts";

/** A later state of a task, for one listener; it becomes any that comes after. */
export interface TaskNote {
  /**
   * Returns the fields of the task as JSON, without the brace that ends them.
   * All streams share the bytes: they must be copied, not handed on.
   */
  take(): Uint8Array;
}

/** A listener of one task. */
export interface FeedListener {
  /** Is called when the task has a later state than it has taken. */
  note(note: TaskNote): void;
  /** Is called when no more will be known of the task, though it may be there. */
  fail(): void;
}

/** The parts of feeds. */
export interface TaskFeedsOptions {
  readonly store: TaskStore;
  readonly onError: (error: unknown) => void;
}

/** The ways to the states of one task. */
interface TaskSource {
  /** Yields the task and all that becomes of it. */
  watch(signal: AbortSignal): AsyncIterable<TaskRecord>;
  /** Reads the task once. */
  read(): Promise<TaskRecord>;
}

const ENCODER = new TextEncoder();

/** The tasks that are listened to. */
export class TaskFeeds {
  readonly #options: TaskFeedsOptions;
  readonly #feeds = new Map<string, TaskFeed>();

  constructor(options: TaskFeedsOptions) {
    this.#options = options;
  }

  /** The number of tasks listened to. */
  get size(): number {
    return this.#feeds.size;
  }

  /** Whether the task is watched, and is known to be there. */
  has(taskId: string, owner: string): boolean {
    return this.#feeds.get(pairKey(owner, taskId))?.isLive ?? false;
  }

  /**
   * Listens to a task: to what it is and to every later state, until it has
   * ended or is no more.
   *
   * @returns How to leave; a second call does nothing.
   */
  join(taskId: string, owner: string, listener: FeedListener): () => void {
    const key = pairKey(owner, taskId);
    let feed = this.#feeds.get(key);
    if (feed === undefined) {
      const { store, onError } = this.#options;
      feed = new TaskFeed(
        {
          watch: (signal) => store.watch(taskId, owner, { signal }),
          read: () => store.get(taskId, owner),
        },
        onError,
        () => this.#feeds.delete(key),
      );
      this.#feeds.set(key, feed);
    }
    return feed.join(listener);
  }
}

/** One task, for as long as it has listeners. */
class TaskFeed {
  readonly #source: TaskSource;
  readonly #onError: (error: unknown) => void;
  readonly #onEmpty: () => void;
  readonly #members = new Set<Member>();
  readonly #stop = new AbortController();
  /** The latest state; of a task that has ended, until all have taken it. */
  #record: TaskRecord | undefined;
  /** For as long as a stream sends it: kept longer, all tasks would be twice. */
  #body: WeakRef<Uint8Array> | undefined;
  #isFollowing = false;
  /** Whether it was read since it is followed. */
  #isKnown = false;
  #isTelling = false;
  /** Whether the task was followed to its end: it is read, not watched. */
  #hasEnded = false;

  constructor(
    source: TaskSource,
    onError: (error: unknown) => void,
    onEmpty: () => void,
  ) {
    this.#source = source;
    this.#onError = onError;
    this.#onEmpty = onEmpty;
  }

  /** Whether the task was read, and is watched since. */
  get isLive(): boolean {
    return this.#isFollowing && this.#isKnown && !this.#hasEnded;
  }

  /** Adds a listener, and notifies it of the state that is known. */
  join(listener: FeedListener): () => void {
    const member = new Member(listener, () => this.#take());
    this.#members.add(member);
    if (this.isLive) member.tell(this.#record!);
    // One that has ended may have been dropped, or followed by another life.
    if (!this.#isFollowing) this.#follow();
    return () => {
      if (!this.#members.delete(member)) return;
      this.#dropIfTaken();
      if (this.#members.size > 0) return;
      this.#onEmpty();
      this.#stop.abort();
    };
  }

  #take(): Uint8Array {
    let bytes = this.#body?.deref();
    if (bytes === undefined) {
      const text = JSON.stringify(detailedTask(this.#record!));
      bytes = ENCODER.encode(text.slice(0, -1));
      this.#body = new WeakRef(bytes);
    }
    this.#dropIfTaken();
    return bytes;
  }

  /** Forgets an ended task: streams stay open long after all have its end. */
  #dropIfTaken(): void {
    if (!this.#hasEnded || this.#isTelling) return;
    for (const member of this.#members) if (member.isWaiting) return;
    this.#record = undefined;
    this.#body = undefined;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    const onError = this.#onError;
    this.#isFollowing = true;
    this.#isKnown = false;
    try {
      const states = watchWithRetry(() => this.#states(), { signal, onError });
      for await (const record of states) {
        this.#publish(record);
        if (this.#hasEnded) return;
      }
    } catch (error) {
      // All have left, or the task is no more: no word is missed.
      if (signal.aborted || error instanceof TaskNotFoundError) return;
      onError(error);
      for (const member of [...this.#members]) member.listener.fail();
    } finally {
      this.#isFollowing = false;
    }
  }

  async *#states(): AsyncIterable<TaskRecord> {
    if (this.#hasEnded) yield await this.#source.read();
    // It goes on only where that was no end: another task has the id now.
    yield* this.#source.watch(this.#stop.signal);
  }

  #publish(record: TaskRecord): void {
    // A watch that was opened again begins with what is known already.
    if (!isSameState(record, this.#record)) {
      this.#record = record;
      this.#body = undefined;
    }
    this.#hasEnded = isFinalStatus(record.task.status);
    this.#isKnown = true;
    // Who takes it at once leaves it to those that are told after.
    this.#isTelling = true;
    for (const member of [...this.#members]) member.tell(record);
    this.#isTelling = false;
    this.#dropIfTaken();
  }
}

/** A listener of one task, and its note of it. */
class Member implements TaskNote {
  readonly listener: FeedListener;
  readonly #take: () => Uint8Array;
  /** The state it was notified of last. */
  #told: StateOf | undefined;
  /** Whether it was notified of a state that it has not taken. */
  isWaiting = false;

  constructor(listener: FeedListener, take: () => Uint8Array) {
    this.listener = listener;
    this.#take = take;
  }

  /** Notifies it of a state, unless it was already. */
  tell({ version, etag }: TaskRecord): void {
    if (isSameState({ version, etag }, this.#told)) return;
    this.#told = { version, etag };
    this.isWaiting = true;
    this.listener.note(this);
  }

  take(): Uint8Array {
    this.isWaiting = false;
    return this.#take();
  }
}

/** What tells one state from another. */
type StateOf = Pick<TaskRecord, "version" | "etag">;

function isSameState(one: StateOf, other: StateOf | undefined): boolean {
  return one.version === other?.version && one.etag === other.etag;
}
