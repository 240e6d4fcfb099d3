/**
 * The `TaskStore` of `@modelcontextprotocol/server/ext/tasks`, as pull request
 * 2782 of the TypeScript SDK has it, on our `TaskStore`.
 *
 * @module
 */

import { MAX_TIMER_MS, requireInteger } from "../../storage/checks.ts";
import { errorKind } from "../../task/error_kind.ts";
import {
  AnonymousOwnerError,
  TaskError,
  TaskStorageError,
} from "../../task/errors.ts";
import { MAX_DURATION_MS } from "../../task/limits.ts";
import type { TaskRecord } from "../../task/record.ts";
import { isFinalStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import {
  INVALID_PARAMS,
  isServersOwn,
  reporterOf,
  toClientError,
} from "../client_errors.ts";
import { requireFunction, requireName } from "../options.ts";
import { requireIdentity, requireOwner, throwOwnerError } from "../owner.ts";
import { handled } from "../handled.ts";
import { quoted } from "../../task/quoted.ts";
import { requireTaskId } from "../task_id.ts";
import { createTaskResult, detailedTask } from "../v2026_07_28/wire.ts";
import { answer } from "./answers.ts";
import type {
  ExtCreateTaskParams,
  ExtDetailedTask,
  ExtInputResponses,
  ExtTask,
  ExtTaskAccess,
  ExtTaskHandle,
} from "./types.ts";
import { TaskWorkers } from "./workers.ts";

/** Options of an {@linkcode ExtTaskStore}. */
export interface ExtTaskStoreOptions {
  /**
   * Says whose task a call is about, of a store that is not bound with
   * `forOwner`. All it is given is the principal, which the SDK takes from the
   * *client id* of the token: the application, not its user. Everyone who uses
   * the same application has the same one, and would see each other's tasks.
   * Only where a client has one user, or your verifier puts the user there, is
   * it a person's. `""` names no one: such calls are refused, unless the
   * `TaskStore` has `allowAnonymous`. `"local"`, the name that tasks of no one
   * are kept under then, is always refused. An error it throws answers the request if
   * it has a JSON-RPC code, and is otherwise for `onError` alone. Default: the
   * principal.
   */
  readonly owner?: ((principal: string | undefined) => string) | undefined;
  /**
   * The time a task that is worked on outlives this process, in milliseconds:
   * `handle` takes a lease, renewed every third of it. `null`: none is taken,
   * for work that is done elsewhere; such a task waits for its end until its
   * TTL is over. Default: 30,000, or `null` if the backend keeps no leases.
   */
  readonly leaseMs?: number | null | undefined;
  /** The name of this process among all. Default: a random one. */
  readonly holder?: string | undefined;
  /**
   * Called with what clients are not shown: failures of the storage, calls
   * without an owner, leases that were lost, and results that could not be
   * stored. What it throws is ignored. Default: none.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

interface StoreParts {
  readonly tasks: TaskStore;
  readonly workers: TaskWorkers;
  /** The owner of a call; without an access, of one that is not a request's. */
  readonly ownerOf: (principal: string | undefined) => string;
  /** The identity it is bound to. */
  readonly identity?: string;
  readonly onError: (error: unknown) => void;
}

/** Not private fields: a bound store is no instance that was constructed. */
const partsOf = new WeakMap<ExtTaskStore, StoreParts>();

/**
 * A task store for the SDK's own coming `TasksExtension`
 * (`@modelcontextprotocol/server/ext/tasks`), durable and the same on every
 * instance: a task made on one is read, answered and cancelled on all others.
 *
 * It answers as the `InMemoryTaskStore` there does, but:
 * - **Bind it to a person.** The SDK hands its store the *client id* of the
 *   token as the principal. That is the application; all its users have the
 *   same. `forOwner(identity)` binds the store to who is authenticated,
 *   whatever the principal: make one extension for each request on it. A call
 *   that names no one finds nothing, and makes no task.
 * - `handle` and `context` know by its id alone a task that this process has
 *   made. For any other one, name its owner: `forOwner(identity).handle(id)`
 *   or `handle(id, { principal })`. `context` is asynchronous.
 * - `handle` takes a lease: the task of a process that has died is failed, for
 *   everyone and once, when it is over.
 * - The limits of the `TaskStore` hold. A TTL that is longer than
 *   `limits.maxTtlMs`, or `null`, becomes that; the task says what it got.
 * - A result is inlined with `resultType: "complete"`, without which the
 *   client of `@modelcontextprotocol/ext-tasks` rejects it.
 *
 * @example Made on one instance, answered on another
 * ```ts
 * import { createTaskStore, ExtTaskStore } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using tasks = await createTaskStore(); // memory; { url } for Redis
 * const a = new ExtTaskStore(tasks, { onError: console.error });
 * const b = new ExtTaskStore(tasks, { onError: console.error }); // elsewhere
 *
 * const alice = a.forOwner("https://idp.example|alice"); // new TasksExtension(alice)
 * const { taskId } = await alice.create({ ttlMs: 60_000, principal: "app" });
 * const handle = a.handle(taskId);
 * const answers = handle.requireInput({
 *   sure: { method: "elicitation/create", params: { message: "Sure?" } },
 * });
 * const elsewhere = b.forOwner("https://idp.example|alice");
 * while ((await elsewhere.get(taskId))?.status !== "input_required");
 * await elsewhere.update(taskId, { sure: { action: "accept" } });
 * assertEquals(await answers, { sure: { action: "accept" } });
 * await handle.complete({ content: [] });
 *
 * const bob = b.forOwner("https://idp.example|bob"); // the same application
 * assertEquals(await bob.get(taskId, { principal: "app" }), undefined);
 * ```
 */
export class ExtTaskStore {
  /**
   * A store for the extensions of this process: make one, and bind it for each
   * request.
   *
   * @param tasks Where the tasks are kept; it stays the caller's to close.
   * @param options How owners are found, and what else is not the default.
   * @throws {RangeError} If `leaseMs` is out of its range.
   * @throws {TypeError} If `owner` or `onError` is no function, `holder` no
   * name, or a lease is asked for and the backend keeps none.
   */
  constructor(tasks: TaskStore, options: ExtTaskStoreOptions = {}) {
    const hasLeases = tasks.backend.leases !== undefined;
    const {
      owner = (principal = "") => principal,
      leaseMs = hasLeases ? 30_000 : null,
      holder = crypto.randomUUID(),
      onError,
    } = options;
    requireFunction("owner", owner);
    requireName("holder", holder, "the name of this process");
    if (leaseMs !== null) {
      requireInteger("leaseMs", leaseMs, 100, MAX_TIMER_MS);
      if (!hasLeases) {
        throw new TypeError(
          `leaseMs is ${leaseMs}: the backend keeps no leases, expected null`,
        );
      }
    }
    const report = reporterOf(onError);
    partsOf.set(this, {
      tasks,
      ownerOf: (principal) => nameOwner(owner, principal),
      onError: report,
      workers: new TaskWorkers({ tasks, holder, leaseMs, onError: report }),
    });
  }

  /**
   * Returns the same store for one authenticated identity, whatever the
   * principal: what it makes is that identity's, and it finds nothing else.
   * The bound store of a subclass is of the subclass and inherits its fields,
   * but for `#private` ones.
   *
   * @param identity The owner of the tasks, as the authentication says: the
   * subject of the token with its issuer, never the client id.
   * @throws {TypeError} If it is empty, not a text, or `"local"`.
   */
  forOwner(identity: string): this {
    requireIdentity(identity);
    const bound: this = Object.create(this);
    partsOf.set(bound, {
      ...partsOf.get(this)!,
      ownerOf: () => identity,
      identity,
    });
    return bound;
  }

  /**
   * Makes a task in state `working`, with an id that cannot be guessed. It is
   * stored, and visible to every instance, before this resolves.
   *
   * @throws {RangeError} If a time is not an integer from 0.
   * @throws {AnonymousOwnerError} If the call names no owner.
   * @throws {ResourceExhaustedError} If the owner has too many tasks.
   * @throws {TaskLimitError} If `context` is over a limit of variables.
   */
  async create(params: ExtCreateTaskParams): Promise<ExtTask> {
    const { ttlMs, pollIntervalMs, principal, context } = params;
    if (ttlMs !== null) requireInteger("ttlMs", ttlMs, 0);
    if (pollIntervalMs !== undefined) {
      requireInteger("pollIntervalMs", pollIntervalMs, 0);
    }
    const { tasks, workers, ownerOf, onError } = partsOf.get(this)!;
    let record: TaskRecord;
    try {
      record = await tasks.create(ownerOf(principal), "tools/call", {
        ttlMs: ttlFor(tasks, ttlMs),
        pollIntervalMs: pollIntervalMs === undefined
          ? undefined
          : Math.max(pollIntervalMs, 1),
        // One variable: a null within it is not the deletion of a name.
        variables: context && { context },
      });
    } catch (error) {
      if (isServersOwn(error)) onError(error);
      // Stored, though too few replicas have it: it is a task like any other.
      if (!(error instanceof TaskStorageError && error.record)) {
        throw toClientError(error);
      }
      record = error.record;
    }
    workers.made(record);
    const { resultType: _, ...task } = createTaskResult(record);
    return task as unknown as ExtTask;
  }

  /**
   * Reads a task, with its result, error or open questions. `undefined` if it
   * is missing, expired or another owner's.
   */
  async get(
    taskId: string,
    access?: ExtTaskAccess,
  ): Promise<ExtDetailedTask | undefined> {
    const parts = partsOf.get(this)!;
    const { tasks } = parts;
    const record = await findTask(
      parts,
      taskId,
      access,
      (owner) => tasks.get(taskId, owner),
    );
    return record && detailedTask(record) as unknown as ExtDetailedTask;
  }

  /**
   * Takes the client's answers: those that are asked for, the first to each
   * key. A task that has ended, or asks nothing, is left as it is.
   *
   * @returns Whether there is such a task.
   */
  async update(
    taskId: string,
    inputResponses: ExtInputResponses,
    access?: ExtTaskAccess,
  ): Promise<boolean> {
    const parts = partsOf.get(this)!;
    const { tasks } = parts;
    const record = await findTask(
      parts,
      taskId,
      access,
      (owner) =>
        tasks.modify(
          taskId,
          owner,
          (record) => answer(record, inputResponses ?? {}),
        ),
    );
    return record !== undefined;
  }

  /**
   * Cancels a task that has not ended; the signal of its handle aborts on
   * whatever instance it is.
   *
   * @returns Whether there is such a task.
   */
  async cancel(taskId: string, access?: ExtTaskAccess): Promise<boolean> {
    const parts = partsOf.get(this)!;
    const { tasks, workers } = parts;
    const record = await findTask(
      parts,
      taskId,
      access,
      (owner) =>
        tasks.modify(
          taskId,
          owner,
          ({ task }) =>
            isFinalStatus(task.status) ? undefined : { status: "cancelled" },
        ),
    );
    // The event reaches this process, too; its own work stops at once.
    if (record?.task.status === "cancelled") {
      workers.cancelled(taskId, record.ownerId);
    }
    return record !== undefined;
  }

  /**
   * Returns what the work on a task reports through, and takes the lease of
   * the task for this process. Asked twice, it returns the same handle until
   * the task has ended.
   *
   * @param taskId The task's id.
   * @param access Whose it is, where the store is not bound and this process
   * has not made the task.
   * @throws {TaskError} `task not found` if nothing says whose task it is, or
   * it has expired. A task that is missing otherwise is known by the handle's
   * signal, which aborts.
   */
  handle(taskId: string, access?: ExtTaskAccess): ExtTaskHandle {
    requireTaskId(taskId);
    const parts = partsOf.get(this)!;
    return parts.workers.work(taskId, ownerOfTask(parts, taskId, access));
  }

  /**
   * Reads the context a task was made with: what is needed to do the work, on
   * any instance. `undefined` if there is none, or no such task.
   *
   * @param taskId The task's id.
   * @param access Whose it is, as for `handle`.
   * @throws {TaskError} `task not found` if nothing says whose task it is.
   */
  async context(
    taskId: string,
    access?: ExtTaskAccess,
  ): Promise<Record<string, unknown> | undefined> {
    const parts = partsOf.get(this)!;
    const owner = ownerOfTask(parts, taskId, access);
    const record = await findTask(
      { ...parts, ownerOf: () => owner },
      taskId,
      access,
      (owner) => parts.tasks.get(taskId, owner),
    );
    return record?.variables.context as Record<string, unknown> | undefined;
  }

  /**
   * Stops all work of this process, also for the stores bound from this one:
   * the signals of all handles abort, and leases are renewed no more. What the
   * work writes before its lease is over is stored; after that the task is
   * failed. The `TaskStore` stays open.
   */
  close(): void {
    partsOf.get(this)!.workers.endAll(new Error("the task store was closed"));
  }
}

/** Asks the host for the owner of a call; what it throws is not for clients. */
function nameOwner(
  owner: (principal: string | undefined) => string,
  principal: string | undefined,
): string {
  try {
    const found: unknown = owner(principal);
    // Of a promise, which is no owner, nothing must be left unhandled.
    if (typeof found === "object") handled(Promise.resolve(found));
    return requireOwner(found);
  } catch (cause) {
    return throwOwnerError(cause);
  }
}

/** Returns the owner of a task that the server itself works on. */
function ownerOfTask(
  { workers, ownerOf, identity, onError }: StoreParts,
  taskId: string,
  access: ExtTaskAccess | undefined,
): string {
  let owner = identity;
  try {
    owner ??= access === undefined
      ? workers.ownerOf(taskId)
      : ownerOf(access.principal);
  } catch (error) {
    if (isServersOwn(error)) onError(error);
    throw toClientError(error);
  }
  if (owner !== undefined) return owner;
  throw new TaskError(
    INVALID_PARAMS,
    `task not found: ${
      quoted(taskId)
    } was not made by this process, or has expired; name its owner: handle(taskId, { principal }) or forOwner(identity).handle(taskId)`,
  );
}

/** Reads or changes a task of the caller's; `undefined` if it is not theirs. */
async function findTask(
  { ownerOf, onError }: StoreParts,
  taskId: string,
  access: ExtTaskAccess | undefined,
  find: (owner: string) => Promise<TaskRecord>,
): Promise<TaskRecord | undefined> {
  try {
    requireTaskId(taskId);
    return await find(ownerOf(access?.principal));
  } catch (error) {
    if (errorKind(error) === "gone") return undefined;
    if (isServersOwn(error)) onError(error);
    // Who is no one has no tasks; only the server is told what is wrong.
    if (error instanceof AnonymousOwnerError) return undefined;
    if (error instanceof TaskStorageError && error.record) return error.record;
    throw toClientError(error);
  }
}

/** Returns the TTL to ask for; a store may override it, and the task says so. */
function ttlFor(
  { limits: { maxTtlMs } }: TaskStore,
  ttlMs: number | null,
): number | null {
  if (ttlMs === null && maxTtlMs === Infinity) return null;
  return Math.max(1, Math.min(ttlMs ?? Infinity, maxTtlMs, MAX_DURATION_MS));
}
