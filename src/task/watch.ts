/** The watch of one task: every version of it, by event. */

import type { VersionedRecord } from "../storage/record.ts";
import { NotFoundError } from "../storage/errors.ts";
import { TaskNotFoundError } from "./errors.ts";
import type { LeaseLooks, WatchedTask } from "./lease_looks.ts";
import type { TaskRecord } from "./record.ts";
import { toTaskError } from "./storage_errors.ts";
import type { TaskRepository } from "./task_repository.ts";

/** Options of {@linkcode TaskWatch}. */
export interface TaskWatchOptions {
  readonly records: TaskRepository;
  readonly looks: LeaseLooks;
  readonly taskId: string;
  readonly owner: string;
  /** Ends the watch: the step under way, or the next, throws its reason. */
  readonly signal: AbortSignal | undefined;
}

/** The reason given to the backend; no caller is shown it. */
const ENDED = "the watch has ended";

/** The end of an iteration. */
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * Yields every version of a task. Its end by `return` or by the signal does
 * not wait for the storage, whatever step is under way.
 */
export class TaskWatch implements AsyncIterableIterator<TaskRecord, undefined> {
  readonly #options: TaskWatchOptions;
  readonly #pending = new Set<PendingStep>();
  /** Ends what the backend does for this watch. */
  readonly #stop = new AbortController();
  readonly #onAbort = () => this.#abort();
  #stored: AsyncIterator<VersionedRecord> | undefined;
  #watched: WatchedTask | undefined;
  #lastVersion = 0;
  #ended = false;
  /** Whether the next step throws the reason of the signal. */
  #throwsReason = false;

  constructor(options: TaskWatchOptions) {
    this.#options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<TaskRecord, undefined>> {
    const { signal } = this.#options;
    if (this.#stored === undefined && signal?.aborted) this.#abort();
    if (this.#throwsReason) {
      this.#throwsReason = false;
      return Promise.reject(signal?.reason);
    }
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      const pending = { resolve, reject };
      this.#pending.add(pending);
      this.#step().then(
        (result) => {
          this.#pending.delete(pending);
          resolve(result);
        },
        (error) => {
          this.#pending.delete(pending);
          this.#end();
          reject(error);
        },
      );
    });
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#throwsReason = false;
    for (const { resolve } of this.#pending) resolve(DONE);
    this.#end();
    return Promise.resolve(DONE);
  }

  async #step(): Promise<IteratorResult<TaskRecord, undefined>> {
    const { records, looks, taskId, owner } = this.#options;
    try {
      if (this.#stored === undefined) {
        this.#options.signal?.addEventListener("abort", this.#onAbort);
        const opened = records.watch(taskId, owner, this.#stop.signal);
        this.#stored = opened[Symbol.asyncIterator]();
      }
      const watched = this.#watched ??= looks.join(
        owner,
        taskId,
        () => records.find(taskId, owner),
      );
      while (true) {
        const { done, value } = await this.#stored.next();
        if (done || this.#ended) {
          this.#end();
          return DONE;
        }
        const record = await records.receiveWatched(
          taskId,
          owner,
          value,
          watched,
        );
        if (record === undefined) throw new TaskNotFoundError(taskId);
        if (this.#ended) return DONE;
        watched.seen(record);
        // What was read while a lost worker was found out comes again.
        if (record.version <= this.#lastVersion) continue;
        this.#lastVersion = record.version;
        return { done: false, value: record };
      }
    } catch (error) {
      if (error instanceof NotFoundError) throw new TaskNotFoundError(taskId);
      throw toTaskError(error, taskId);
    }
  }

  #abort(): void {
    if (this.#ended) return;
    this.#throwsReason = this.#pending.size === 0;
    const reason = this.#options.signal?.reason;
    for (const { reject } of this.#pending) reject(reason);
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#watched?.leave();
    this.#stop.abort(ENDED);
    this.#stored?.return?.().catch(() => {});
  }
}

/** A step that has not been answered. */
interface PendingStep {
  resolve(result: IteratorReturnResult<undefined>): void;
  reject(reason: unknown): void;
}
