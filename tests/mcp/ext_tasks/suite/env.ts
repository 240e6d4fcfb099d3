/**
 * What the tests of `ExtTaskStore` stand on: two instances on one storage.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  type ExtDetailedTask,
  ExtTaskStore,
  type ExtTaskStoreOptions,
  type StorageBackend,
  TaskStore,
  type TaskStoreOptions,
} from "../../../../mod.ts";
import { waitUntil } from "../../../support/wait.ts";

/** A task in a state. */
type TaskIn<Status> = Extract<ExtDetailedTask, { status: Status }>;

/** Two instances on one storage. */
export class TwoStores {
  readonly a: ExtTaskStore;
  readonly b: ExtTaskStore;
  readonly tasks: { readonly a: TaskStore; readonly b: TaskStore };
  /** What `onError` was called with. */
  readonly errors: unknown[] = [];
  readonly #made: ExtTaskStore[] = [];

  constructor(
    backends: readonly [StorageBackend, StorageBackend],
    options: TaskStoreOptions,
  ) {
    const [a, b] = backends;
    this.tasks = { a: new TaskStore(a, options), b: new TaskStore(b, options) };
    this.a = this.store("a");
    this.b = this.store("b");
  }

  /** Another store of an instance. */
  store(of: "a" | "b", options: ExtTaskStoreOptions = {}): ExtTaskStore {
    const store = new ExtTaskStore(this.tasks[of], {
      holder: of,
      onError: (error) => void this.errors.push(error),
      ...options,
    });
    this.#made.push(store);
    return store;
  }

  /** Makes a task of alice's on A. */
  async create(context?: Record<string, unknown>): Promise<string> {
    const { taskId } = await this.a
      .create({ ttlMs: 60_000, ...ALICE, context });
    return taskId;
  }

  /** Waits until alice sees her task in a state on B, and returns it. */
  async until<Status extends ExtDetailedTask["status"]>(
    taskId: string,
    status: Status,
  ): Promise<TaskIn<Status>> {
    let task: ExtDetailedTask | undefined;
    await waitUntil(`task ${taskId} is ${status}`, async () => {
      task = await this.b.get(taskId, ALICE);
      return task?.status === status;
    });
    return task as TaskIn<Status>;
  }

  /** Reads alice's task on B, which must be in a state. */
  async seen<Status extends ExtDetailedTask["status"]>(
    taskId: string,
    status: Status,
  ): Promise<TaskIn<Status>> {
    const task = await this.b.get(taskId, ALICE);
    assertEquals(task?.status, status);
    return task as TaskIn<Status>;
  }

  /** Ends what still runs. */
  end(): void {
    for (const store of this.#made) store.close();
  }
}

/** The usual caller. */
export const ALICE = { principal: "alice" };

/** A question. */
export function elicit(message: string) {
  return {
    method: "elicitation/create",
    params: {
      message,
      requestedSchema: { type: "object", properties: {} },
    },
  };
}

/** A test of the suite. */
export interface StoreTest {
  readonly name: string;
  readonly options?: TaskStoreOptions;
  readonly body: (two: TwoStores) => Promise<void>;
}
