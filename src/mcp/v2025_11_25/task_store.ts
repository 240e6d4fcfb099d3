/**
 * The `TaskStore` of `@modelcontextprotocol/sdk` 1.32 on our `TaskStore`.
 *
 * @module
 */

import { requireInteger } from "../../storage/checks.ts";
import { TaskCursorError, TaskNotFoundError } from "../../task/errors.ts";
import { MAX_DURATION_MS } from "../../task/limits.ts";
import type { Task, TaskRecord } from "../../task/record.ts";
import type { TaskStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { notFound, TaskFailedError, toSdkError } from "./errors.ts";
import {
  ownerByIdentity,
  ownerBySession,
  type OwnerOf,
  type SdkOwnerOptions,
} from "./owner.ts";
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
}

/**
 * A `TaskStore` for the MCP SDK v1, durable and the same on every instance.
 *
 * It answers as the SDK's `InMemoryTaskStore` does, in the same words, but:
 * - A task belongs to an owner: an identity (`forOwner`), else a session, else
 *   `defaultOwner`. Calls without a session are *not* free to see every task.
 * - The store's limits hold. A TTL that is longer, or none (`null`), becomes
 *   `limits.maxTtlMs`, one left out or not above 0 `limits.defaultTtlMs`; the
 *   task says which. One owner has at most `limits.maxTasksPerOwner` tasks,
 *   of which `limits.maxActiveTasksPerOwner` have not ended.
 * - A cancelled task has a result: an `isError` one with the message of its
 *   cancellation. A task that failed with a JSON-RPC error, such as one whose
 *   worker was lost, answers `tasks/result` with that error.
 * - `context` is kept as the variables of the task.
 *
 * Give it a `TaskStore` with `retention: "completion"`: then the TTL counts
 * again from the end of the task, as the SDK has it.
 *
 * @example Hand it to a server, bound to who is authenticated
 * ```ts
 * import { createTaskStore, SdkTaskStore } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using tasks = await createTaskStore({ retention: "completion" });
 * const store = new SdkTaskStore(tasks);
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
  readonly #tasks: TaskStore;
  readonly #options: SdkTaskStoreOptions;
  readonly #pollIntervalMs: number;
  #ownerOf: OwnerOf;

  /**
   * A store whose owners are found by session, until it is bound.
   *
   * @param tasks Where the tasks are kept; it stays the caller's to close.
   * @param options How owners are found, and what else is not the default.
   * @throws {RangeError} If `pollIntervalMs` is not an integer from 1.
   */
  constructor(tasks: TaskStore, options: SdkTaskStoreOptions = {}) {
    const { pollIntervalMs = 1000 } = options;
    requireInteger("pollIntervalMs", pollIntervalMs, 1);
    this.#tasks = tasks;
    this.#options = options;
    this.#pollIntervalMs = pollIntervalMs;
    this.#ownerOf = ownerBySession(options);
  }

  /**
   * The same store for one authenticated identity, whatever the session.
   *
   * @param identity Who the tasks belong to, as the authentication says.
   * @throws {TypeError} If it is empty or not a string.
   */
  forOwner(identity: string): SdkTaskStore {
    const bound = new SdkTaskStore(this.#tasks, this.#options);
    bound.#ownerOf = ownerByIdentity(identity);
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
    const owner = await this.#ownerOf(sessionId);
    const record = await this.#tasks.create(owner, request.method, {
      ttlMs: this.#ttlFor(ttl),
      pollIntervalMs: isPositive(pollInterval)
        ? Math.ceil(pollInterval)
        : this.#pollIntervalMs,
      variables: context,
    });
    return toSdkTask(record);
  }

  /** Reads a task; `null` if it is missing, expired or another owner's. */
  async getTask(taskId: string, sessionId?: string): Promise<Task | null> {
    const record = await this.#find(taskId, sessionId);
    return record === undefined ? null : toSdkTask(record);
  }

  /**
   * Ends a task with its result, in one write.
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
    const owner = await this.#ownerOf(sessionId);
    try {
      await this.#tasks.update(taskId, owner, { status, result });
    } catch (error) {
      throw toSdkError(
        taskId,
        error,
        (from) =>
          `Cannot store result for task ${taskId} in terminal status '${from}'. Task results can only be stored once.`,
      );
    }
  }

  /**
   * Reads the result of a task.
   *
   * @throws {Error} `Task with ID … not found`, or `Task … has no result
   * stored`.
   * @throws {TaskFailedError} If the task failed with a JSON-RPC error.
   */
  async getTaskResult(taskId: string, sessionId?: string): Promise<SdkResult> {
    const record = await this.#find(taskId, sessionId);
    if (record === undefined) throw notFound(taskId);
    if (record.result !== null) return record.result as SdkResult;
    if (record.error) throw new TaskFailedError(record.error);
    if (record.task.status === "cancelled") return cancelledResult(record);
    throw new Error(`Task ${taskId} has no result stored`);
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
    const owner = await this.#ownerOf(sessionId);
    try {
      await this.#tasks.modify(taskId, owner, ({ task }) => ({
        // No state moves to itself; to the SDK it is an update like any other.
        status: task.status === status ? undefined : status,
        statusMessage: statusMessage || undefined,
      }));
    } catch (error) {
      throw toSdkError(
        taskId,
        error,
        (from) =>
          `Cannot update task ${taskId} from terminal status '${from}' to '${status}'. Terminal states (completed, failed, cancelled) cannot transition to other states.`,
      );
    }
  }

  /**
   * Reads one page of ten tasks, oldest first. A cursor stays good while
   * tasks come and go.
   *
   * @throws {Error} `Invalid cursor: …`
   */
  async listTasks(
    cursor?: string,
    sessionId?: string,
  ): Promise<{ tasks: Task[]; nextCursor?: string }> {
    const owner = await this.#ownerOf(sessionId);
    try {
      const { tasks, nextCursor } = await this.#tasks.list(owner, {
        cursor: cursor || undefined,
        limit: PAGE_SIZE,
        order: "oldest",
      });
      const page = { tasks: tasks.map(toSdkTask) };
      return nextCursor === undefined ? page : { ...page, nextCursor };
    } catch (cause) {
      if (!(cause instanceof TaskCursorError)) throw cause;
      throw new Error(`Invalid cursor: ${cursor}`, { cause });
    }
  }

  async #find(
    taskId: string,
    sessionId: string | undefined,
  ): Promise<TaskRecord | undefined> {
    const owner = await this.#ownerOf(sessionId);
    try {
      return await this.#tasks.get(taskId, owner);
    } catch (error) {
      if (error instanceof TaskNotFoundError) return undefined;
      throw error;
    }
  }

  /** A store may override the TTL asked for; what it becomes, the task says. */
  #ttlFor(ttl: number | null | undefined): number | null | undefined {
    const { maxTtlMs } = this.#tasks.limits;
    if (ttl === null || ttl === Infinity) {
      return maxTtlMs === Infinity ? null : Math.min(maxTtlMs, MAX_DURATION_MS);
    }
    return isPositive(ttl)
      ? Math.min(Math.ceil(ttl), maxTtlMs, MAX_DURATION_MS)
      : undefined;
  }
}

/** What MCP 2025-11-25 names of a task, and nothing else. */
function toSdkTask({ task }: TaskRecord): Task {
  const { statusMessage, pollInterval } = task;
  return {
    taskId: task.taskId,
    status: task.status,
    ttl: task.ttl,
    createdAt: task.createdAt,
    lastUpdatedAt: task.lastUpdatedAt,
    // Other writers put null where a field is left out; the SDK refuses that.
    ...(pollInterval == null ? {} : { pollInterval }),
    ...(statusMessage == null ? {} : { statusMessage }),
  };
}

/** Without a result the client would be told that the server is broken. */
function cancelledResult({ task }: TaskRecord): SdkResult {
  const text = task.statusMessage ?? "The task was cancelled.";
  return { content: [{ type: "text", text }], isError: true };
}

function isPositive(value: number | undefined): value is number {
  return value !== undefined && value > 0 && value !== Infinity;
}
