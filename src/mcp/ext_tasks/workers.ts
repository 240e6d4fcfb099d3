/** The tasks that this process has made and works on, by id. */

import type { TaskRecord } from "../../task/record.ts";
import { TaskWorker, type WorkerOptions } from "./worker.ts";

/** The most tasks that are remembered to have been made here. */
const MAX_MADE = 10_000;

interface MadeTask {
  readonly owner: string;
  /** When it is gone, in epoch milliseconds. */
  readonly until: number;
}

/** Tasks made here, and those that are worked on. */
export class TaskWorkers {
  readonly #options: Omit<WorkerOptions, "taskId" | "owner" | "onEnd">;
  readonly #made = new Map<string, MadeTask>();
  /** By owner and task: an id alone may be known of two owners. */
  readonly #working = new Map<string, TaskWorker>();

  constructor(options: Omit<WorkerOptions, "taskId" | "owner" | "onEnd">) {
    this.#options = options;
  }

  /** Remembers whose task was made; the SDK asks for its handle by id alone. */
  made({ ownerId, task, expiresAt }: TaskRecord): void {
    this.#made.set(task.taskId, {
      owner: ownerId,
      until: expiresAt === null ? Infinity : Date.parse(expiresAt),
    });
    if (this.#made.size > MAX_MADE) {
      this.#made.delete(this.#made.keys().next().value!);
    }
  }

  /** Returns the owner of a task made here; `undefined` if it is not known. */
  ownerOf(taskId: string): string | undefined {
    const made = this.#made.get(taskId);
    if (made === undefined || made.until > Date.now()) return made?.owner;
    this.#made.delete(taskId);
    return undefined;
  }

  /** Returns the worker of a task, which begins to work on it. */
  work(taskId: string, owner: string): TaskWorker {
    const name = nameOf(taskId, owner);
    let worker = this.#working.get(name);
    if (worker === undefined) {
      worker = new TaskWorker({
        ...this.#options,
        taskId,
        owner,
        onEnd: (ended) => {
          if (this.#working.get(name) === ended) this.#working.delete(name);
        },
      });
      this.#working.set(name, worker);
    }
    return worker;
  }

  /** Tells the worker of a task, if it is here, that the task was cancelled. */
  cancelled(taskId: string, owner: string): void {
    this.#working.get(nameOf(taskId, owner))?.cancelled();
  }

  /** Stops all work. */
  endAll(reason: unknown): void {
    for (const worker of [...this.#working.values()]) worker.end(reason);
    this.#made.clear();
  }
}

function nameOf(taskId: string, owner: string): string {
  return JSON.stringify([owner, taskId]);
}
