/**
 * The `TaskStore` of `@modelcontextprotocol/sdk` 1.24 to 1.32 on our
 * `TaskStore`.
 *
 * @module
 */

import { requireInteger } from "../../storage/checks.ts";
import { TaskCursorError } from "../../task/errors.ts";
import type { Task } from "../../task/record.ts";
import { idText } from "../../task/quoted.ts";
import type { TaskStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { report, reporterOf, toClientError } from "../client_errors.ts";
import { notFound, shownError } from "./errors.ts";
import { CallOwner, type SdkOwnerOptions } from "./owner.ts";
import { toSdkResult, toSdkTask } from "./sdk_task.ts";
import {
  findTask,
  isPositive,
  type StoreParts,
  storeResult,
  ttlFor,
  writeTask,
} from "./store_calls.ts";
import { taskOwnersOf } from "./task_owners.ts";
import type {
  SdkCreateTaskOptions,
  SdkRequest,
  SdkRequestId,
  SdkResult,
} from "./types.ts";

/** Tasks on a page, as many as the SDK's own store shows. */
const PAGE_SIZE = 10;

/** Options of an {@linkcode SdkTaskStore}. */
export interface SdkTaskStoreOptions extends SdkOwnerOptions {
  /**
   * The poll interval of a task that asks for none, in milliseconds; the SDK
   * looks so often while `tasks/result` waits. Default: 1,000.
   */
  readonly pollIntervalMs?: number | undefined;
  /**
   * Called with what clients are not shown: whatever makes `createTask` fail,
   * which the SDK answers with "Invalid task creation result", failures of the
   * storage, calls without an owner, and results that could not be stored.
   * What it throws is ignored. Default: none.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Not private fields: a bound store is no instance that was constructed. */
const partsOf = new WeakMap<
  SdkTaskStore,
  StoreParts & { readonly pollIntervalMs: number }
>();

/**
 * A `TaskStore` for the MCP SDK v1, durable and the same on every instance.
 *
 * It answers as the SDK's `InMemoryTaskStore` does, in the same words, but:
 * - A task belongs to an owner: an identity (`forOwner`), else a session, else
 *   `defaultOwner`. Calls without a session do *not* read every task. Without
 *   `defaultOwner` they have the tasks of their process, by id, and no list.
 *   A result or a state stored without a session finds its task wherever this
 *   process has made or read the task.
 * - The store's limits hold. A TTL that is longer, or none (`null`), becomes
 *   `limits.maxTtlMs`, one left out or not above 0 `limits.defaultTtlMs`; the
 *   task says which. One owner has at most `limits.maxTasksPerOwner` tasks,
 *   of which `limits.maxActiveTasksPerOwner` have not ended.
 * - A cancelled task has a result: an `isError` one with the message of its
 *   cancellation. A task that failed with a JSON-RPC error, such as one whose
 *   worker was lost, answers `tasks/result` with that error.
 * - A result that cannot be stored fails its task, with the reason.
 * - `context` is kept as the variables of the task.
 *
 * A failure of the storage is one sentence to the caller, `TaskStorageError`,
 * with what the storage said as its `cause`; `onError` is called with the
 * whole.
 *
 * Give it a `TaskStore` with `retention: "completion"`: then the TTL counts
 * again from the end of the task, as the SDK has it.
 *
 * @example Hand it to a server, bound to who is authenticated
 * ```ts
 * import { createTaskStore, SdkTaskStore } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using tasks = await createTaskStore({
 *   memory: true, // or url
 *   retention: "completion",
 * });
 * const store = new SdkTaskStore(tasks, { onError: console.error });
 *
 * const alice = store.forOwner("auth0|alice"); // new McpServer(…, { taskStore: alice })
 * const request = { method: "tools/call", params: { name: "slow" } };
 * const { taskId } = await alice.createTask({ ttl: 60_000 }, 1, request);
 * await alice.storeTaskResult(taskId, "completed", { content: [] });
 * assertEquals(await alice.getTaskResult(taskId), { content: [] });
 * assertEquals(await store.forOwner("auth0|bob").getTask(taskId), null);
 * ```
 */
export class SdkTaskStore {
  /**
   * A store whose owners are found by session, until it is bound.
   *
   * @param tasks Where the tasks are kept; it stays the caller's to close.
   * @param options How owners are found, and what else is not the default.
   * @throws {RangeError} If `pollIntervalMs` is not an integer from 1.
   * @throws {TypeError} If `resolveOwner` or `onError` is no function, or
   * `defaultOwner` no text.
   */
  constructor(tasks: TaskStore, options: SdkTaskStoreOptions = {}) {
    const { pollIntervalMs = 1000 } = options;
    requireInteger("pollIntervalMs", pollIntervalMs, 1);
    const onError = reporterOf(options.onError);
    const known = taskOwnersOf(tasks.backend.queues ?? tasks.backend);
    known.addStore(tasks);
    const owner = new CallOwner(options, known, () => known.unnamedOf(tasks));
    partsOf.set(this, { tasks, onError, owner, pollIntervalMs });
  }

  /**
   * Returns the same store for one authenticated identity, whatever the
   * session. The bound store of a subclass is of the subclass and inherits
   * everything from the store it was bound from, its fields too, but for
   * `#private` ones: a subclass with such fields overrides this method and
   * returns a store of its own with `resolveOwner: () => identity`.
   *
   * @param identity The owner of the tasks, as the authentication says.
   * @throws {TypeError} If it is empty, not a text, or `"local"`.
   */
  forOwner(identity: string): this {
    const parts = partsOf.get(this)!;
    const bound: this = Object.create(this);
    partsOf.set(bound, { ...parts, owner: parts.owner.bind(identity) });
    return bound;
  }

  /**
   * Makes a task in state `working`, with an id that cannot be guessed.
   *
   * @returns The task, with the TTL and poll interval it was given.
   * @throws {ResourceExhaustedError} At the owner's quota.
   * @throws {TaskLimitError} If the `context` is over a limit.
   */
  async createTask(
    { ttl, pollInterval, context }: SdkCreateTaskOptions,
    _requestId: SdkRequestId,
    request: SdkRequest,
    sessionId?: string,
  ): Promise<Task> {
    const { tasks, onError, owner, pollIntervalMs } = partsOf.get(this)!;
    try {
      const ownerId = await owner.ofReader(sessionId);
      const record = await tasks.create(ownerId, request.method, {
        ttlMs: ttlFor(tasks, ttl),
        pollIntervalMs: isPositive(pollInterval)
          ? Math.ceil(pollInterval)
          : pollIntervalMs,
        variables: context,
      });
      owner.remember(record);
      return toSdkTask(record);
    } catch (error) {
      report(onError, error);
      throw toClientError(error);
    }
  }

  /** Reads a task; `null` if it is missing, expired or another owner's. */
  async getTask(taskId: string, sessionId?: string): Promise<Task | null> {
    const record = await findTask(partsOf.get(this)!, taskId, sessionId);
    return record === undefined ? null : toSdkTask(record);
  }

  /**
   * Ends a task with its result, in one write. A result that cannot be stored,
   * because JSON cannot hold it or it is too large, fails the task instead:
   * its client is shown the reason, `onError` is called, and nothing is thrown.
   *
   * @throws {Error} `Task with ID … not found`, or `Cannot store result …` if
   * the task has ended already.
   */
  async storeTaskResult(
    taskId: string,
    status: "completed" | "failed",
    result: SdkResult,
    sessionId?: string,
  ): Promise<void> {
    await writeTask(
      partsOf.get(this)!,
      taskId,
      sessionId,
      (owner, parts) => storeResult(parts, taskId, owner, status, result),
      (from) =>
        `Cannot store result for task ${taskId} in terminal status '${from}'. Task results can only be stored once.`,
    );
  }

  /**
   * Reads the result of a task.
   *
   * @throws {Error} `Task with ID … not found`, or `Task … has no result
   * stored`.
   * @throws {TaskFailedError} If the task failed with a JSON-RPC error.
   */
  async getTaskResult(taskId: string, sessionId?: string): Promise<SdkResult> {
    const record = await findTask(partsOf.get(this)!, taskId, sessionId);
    if (record === undefined) throw notFound(taskId);
    return toSdkResult(record);
  }

  /**
   * Moves a task to a state, or leaves it in its own, with a new message if
   * there is one.
   *
   * @throws {Error} `Task with ID … not found`, or `Cannot update task …` if
   * the task has ended already.
   */
  async updateTaskStatus(
    taskId: string,
    status: TaskStatus,
    statusMessage?: string,
    sessionId?: string,
  ): Promise<void> {
    await writeTask(
      partsOf.get(this)!,
      taskId,
      sessionId,
      (owner, { tasks }) =>
        tasks.modify(taskId, owner, ({ task }) => ({
          // No state moves to itself; to the SDK it is an update like any other.
          status: task.status === status ? undefined : status,
          statusMessage: statusMessage || undefined,
        })),
      (from) =>
        `Cannot update task ${taskId} from terminal status '${from}' to '${status}'. Terminal states (completed, failed, cancelled) cannot transition to other states.`,
    );
  }

  /**
   * Reads one page of ten tasks, in the order they were made. A cursor stays
   * good while tasks come and go. A task that cannot be read is left out and
   * reported to `onError`.
   *
   * @throws {Error} `Invalid cursor: …`
   * @throws {AnonymousOwnerError} If the call names no owner.
   */
  async listTasks(
    cursor?: string,
    sessionId?: string,
  ): Promise<{ tasks: Task[]; nextCursor?: string }> {
    const { tasks, onError, owner } = partsOf.get(this)!;
    try {
      const page = await tasks.list(await owner.named(sessionId), {
        cursor: cursor || undefined,
        limit: PAGE_SIZE,
        order: "oldest",
      });
      const { nextCursor } = page;
      // The SDK's list has no place for a task that cannot be read.
      for (const { error } of page.damaged ?? []) report(onError, error);
      return {
        tasks: page.tasks.map(toSdkTask),
        ...(nextCursor === undefined ? {} : { nextCursor }),
      };
    } catch (error) {
      if (!(error instanceof TaskCursorError)) throw shownError(onError, error);
      throw new Error(`Invalid cursor: ${idText(cursor)}`, {
        cause: error,
      });
    }
  }
}
