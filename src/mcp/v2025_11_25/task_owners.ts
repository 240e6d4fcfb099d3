/**
 * The owners of the tasks that this process has made or read, by task id.
 *
 * The SDK does not name a session in every call: up to 1.31 it queues without
 * one, and a server's own code stores results without one. Such a call is
 * about a task this process knows, and belongs to that task's owner. What is
 * known here decides where something is written, never what is read.
 */

import { ANONYMOUS } from "../../task/anonymous.ts";
import type { TaskRecord } from "../../task/record.ts";
import { storedQueues } from "../../task/sealed_queue.ts";
import { isFinalStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";

/** The most tasks that are remembered after their end. */
const MAX_ENDED = 1000;

interface ActiveTask {
  readonly owner: string;
  /** When its TTL is over at the latest, in epoch milliseconds. */
  readonly until: number;
}

/** The owners of tasks, as far as this process knows them. */
export class TaskOwners {
  /** A random name, so that no other process or caller has it. */
  readonly #process = `process:${crypto.randomUUID()}`;
  /** Whether a call has had a session: then the server is not on stdio. */
  sawSession = false;
  /** The tasks themselves, of the first store of the SDK's. */
  #first: TaskStore | undefined;
  /** The same of the first store on each of the queues. */
  readonly #stores = new WeakMap<object, TaskStore>();
  /** As many as have work to be done in this process: not bounded further. */
  readonly #active = new Map<string, ActiveTask>();
  readonly #ended = new Map<string, string>();
  /** The place where the sweep of tasks that have expired unseen goes on. */
  #sweep: Iterator<[string, ActiveTask]> = this.#active.entries();

  /**
   * Notes tasks that a store of the SDK's was made on. What is known of others
   * on the same backend stays: they may have other keys, or another policy.
   */
  addStore(tasks: TaskStore): void {
    this.#first ??= tasks;
    const { queues } = tasks;
    if (queues && !this.#stores.has(queues)) this.#stores.set(queues, tasks);
  }

  /**
   * Returns the tasks the messages of these queues are for: those of the store
   * the queues are of, where that seals, else of the first one made.
   */
  storeOf(queues: object): TaskStore | undefined {
    return this.#stores.get(queues) ?? this.#first;
  }

  /**
   * Returns the owner of the tasks of calls that name none: this process
   * alone, unless the store allows anonymous ones.
   */
  unnamedOf(tasks: TaskStore | undefined): string {
    return tasks?.allowAnonymous ? ANONYMOUS : this.#process;
  }

  /** Remembers the owner of a task. */
  remember({ ownerId, task }: TaskRecord): void {
    const { taskId, status, ttl } = task;
    if (!isFinalStatus(status)) {
      const until = Date.now() + (ttl ?? Infinity);
      this.#active.set(taskId, { owner: ownerId, until });
      this.#sweepSome();
      return;
    }
    // Its queue is still to be emptied, and a second result to be refused.
    this.#active.delete(taskId);
    this.#ended.delete(taskId);
    this.#ended.set(taskId, ownerId);
    if (this.#ended.size > MAX_ENDED) {
      this.#ended.delete(this.#ended.keys().next().value!);
    }
  }

  /** Returns the owner of a task; `undefined` if it is not known here. */
  ownerOf(taskId: string): string | undefined {
    return this.#active.get(taskId)?.owner ?? this.#ended.get(taskId);
  }

  /** Looks at two tasks for each one remembered, in turn. */
  #sweepSome(): void {
    const now = Date.now();
    for (let i = 0; i < 2; i++) {
      const next = this.#sweep.next();
      if (next.done) this.#sweep = this.#active.entries();
      else if (next.value[1].until <= now) this.#active.delete(next.value[0]);
    }
  }
}

const ownersOf = new WeakMap<object, TaskOwners>();

/**
 * Returns what is known of the tasks of one backend: the same for the store
 * and the queue, which are made apart, sealed or not.
 *
 * @param queues The queues of the backend, or the backend if it has none.
 */
export function taskOwnersOf(queues: object): TaskOwners {
  const stored = storedQueues(queues);
  let owners = ownersOf.get(stored);
  if (owners === undefined) ownersOf.set(stored, owners = new TaskOwners());
  return owners;
}
