/**
 * Changes of stored tasks: read, changed and written until no other writer
 * comes in between.
 */

import { FencedError, VersionConflictError } from "../storage/errors.ts";
import { newOperationId } from "../storage/operation_id.ts";
import { KeyedMutex } from "../util/keyed_mutex.ts";
import { pairKey } from "../util/pair_key.ts";
import {
  ConcurrentModificationError,
  TaskError,
  taskGone,
  TaskNotFoundError,
} from "./errors.ts";
import { wrongKind } from "./argument_checks.ts";
import type { TaskRef } from "./options.ts";
import { isSameTask, type TaskRecord } from "./record.ts";
import type { TaskRepository } from "./task_repository.ts";

/** Makes a new record of the one that is stored; `undefined`: leaves it. */
export type Change = (
  record: TaskRecord,
  now: number,
) => TaskRecord | undefined;

/** Options of {@linkcode TaskChanges}. */
export interface TaskChangesOptions {
  readonly records: TaskRepository;
  readonly maxWriteAttempts: number;
  readonly clock: () => number;
}

/** The task a caller named, and the record of it they hold, if they do. */
export interface NamedTask {
  readonly taskId: string;
  readonly held: TaskRecord | undefined;
}

/** Changes the tasks of a store. */
export class TaskChanges {
  readonly #records: TaskRepository;
  readonly #maxWriteAttempts: number;
  readonly #clock: () => number;
  readonly #turns = new KeyedMutex();

  constructor({ records, maxWriteAttempts, clock }: TaskChangesOptions) {
    this.#records = records;
    this.#maxWriteAttempts = maxWriteAttempts;
    this.#clock = clock;
  }

  /**
   * Changes a task; see `TaskStore.modify` for what it promises. Changes of
   * this store to one task take turns: only other instances are raced with.
   */
  async change(
    ref: TaskRef,
    owner: string,
    change: Change,
  ): Promise<TaskRecord> {
    const named = nameOf(ref, owner);
    return await this.#turns.run(
      pairKey(owner, named.taskId),
      () => this.#change(named, owner, change),
    );
  }

  /** Deletes a task; `true` if it was there. */
  async delete(ref: TaskRef, owner: string): Promise<boolean> {
    if (typeof ref === "string") return await this.#records.delete(ref, owner);
    const { taskId } = nameOf(ref, owner);
    let expected = ref.etag ? ref : await this.#records.find(taskId, owner);
    for (let attempt = 1;; attempt++) {
      if (expected === undefined || !isSameTask(ref, expected)) return false;
      try {
        return await this.#records.delete(taskId, owner, expected);
      } catch (error) {
        if (!(error instanceof VersionConflictError)) throw error;
        if (error.actual === 0) return false;
        await this.#pause(taskId, attempt, error);
      }
      expected = await this.#records.find(taskId, owner);
    }
  }

  async #change(
    { taskId, held }: NamedTask,
    owner: string,
    change: Change,
  ): Promise<TaskRecord> {
    let operationId = newOperationId();
    let record: TaskRecord | undefined;
    let changed: TaskRecord | undefined;
    // Without an etag only a version would tell the held task from a later
    // one of its id: it is read first.
    if (held?.etag) {
      record = held;
      changed = this.#tryChange(held, change);
    }
    let endedFence: number | undefined;
    for (let attempt = 1;; attempt++) {
      if (changed === undefined) {
        record = await this.#records.find(taskId, owner, endedFence);
        if (record === undefined) throw taskGone(taskId, held, this.#clock());
        if (held !== undefined && !isSameTask(held, record)) {
          throw new TaskNotFoundError(taskId);
        }
        // What was told to be a conflict was a try of this very write.
        if (record.etag === operationId) return record;
        changed = change(record, this.#clock());
        if (changed === undefined) return record;
        operationId = newOperationId();
      }
      try {
        return await this.#records.replace(changed, record!, operationId);
      } catch (error) {
        if (error instanceof FencedError) endedFence = error.fence;
        else if (!(error instanceof VersionConflictError)) throw error;
        else if (error.actual === 0) {
          throw taskGone(taskId, held, this.#clock());
        }
        // A held record that is out of date is no attempt.
        if (record === held) attempt = 0;
        else await this.#pause(taskId, attempt, error);
      }
      changed = undefined;
    }
  }

  /**
   * The change of a record the caller holds. It may be out of date: then
   * nothing of it decides, not even a refusal, and the task is read.
   */
  #tryChange(held: TaskRecord, change: Change): TaskRecord | undefined {
    try {
      return change(held, this.#clock());
    } catch (error) {
      if (error instanceof TaskError) return undefined;
      throw error;
    }
  }

  /**
   * Lets those who came first finish: up to 50 ms, at random.
   *
   * @throws {ConcurrentModificationError} After the last attempt.
   */
  #pause(taskId: string, attempt: number, cause: Error): Promise<void> {
    if (attempt >= this.#maxWriteAttempts) {
      throw new ConcurrentModificationError(taskId, attempt, { cause });
    }
    const ms = Math.random() * Math.min(2 ** attempt, 50);
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}

/**
 * The task a caller means.
 *
 * @throws {TypeError} If it is neither an id nor a record.
 * @throws {TaskNotFoundError} If they hold a record of another's task.
 */
export function nameOf(ref: TaskRef, owner: string): NamedTask {
  if (typeof ref === "string") return { taskId: ref, held: undefined };
  if (typeof (ref as Partial<TaskRecord>)?.task?.taskId !== "string") {
    throw wrongKind("task", ref, "its id or a TaskRecord");
  }
  if (ref.ownerId === owner) return { taskId: ref.task.taskId, held: ref };
  throw new TaskNotFoundError(ref.task.taskId);
}
