/**
 * The task domain on top of any storage backend: records, the status machine,
 * owners, quotas, TTL policy, variables, results, pages, leases and waiting.
 * It knows neither Redis nor a wire format.
 *
 * @module
 */

import type { StorageBackend } from "../storage/backend.ts";
import { requireInteger } from "../storage/checks.ts";
import { VersionConflictError } from "../storage/errors.ts";
import {
  applyUpdate,
  type ChangePolicy,
  extendTtl,
  isoTime,
  leaseFrom,
  withLease,
} from "./change.ts";
import {
  AnonymousOwnerError,
  ConcurrentModificationError,
  TaskError,
  TaskExistsError,
  taskGone,
  TaskNotFoundError,
  TaskNotReadyError,
} from "./errors.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { hasLostWorker } from "./lease.ts";
import {
  checkTtl,
  mergeVariables,
  resolveLimits,
  type TaskLimits,
} from "./limits.ts";
import type {
  CreateTaskOptions,
  LeaseOptions,
  ListTasksOptions,
  TaskPage,
  TaskRef,
  TaskStoreOptions,
  TaskUpdate,
} from "./options.ts";
import type { JsonRpcError, TaskRecord } from "./record.ts";
import { TaskRepository } from "./task_repository.ts";
import { Sealer } from "./seal.ts";
import { taskAbortSignal } from "./abort_signal.ts";
import { isFinalStatus, type TaskStatus } from "./status.ts";
import { KeyedMutex } from "../util/keyed_mutex.ts";
import { waitForTask, type WaitOptions, watchTask } from "./wait.ts";

/** What a mutation makes of the record that stands; `undefined`: nothing. */
type Change = (record: TaskRecord, now: number) => TaskRecord | undefined;

/**
 * Tasks with owners, states and an end.
 *
 * Every method may throw `AnonymousOwnerError`, `TaskStorageError` and, for a
 * task that is missing or another owner's, `TaskNotFoundError`. A write to a
 * task in a final state throws `InvalidTransitionError`. Every mutation takes
 * the id of a task or a record of it the caller holds, which saves the read:
 * if the record is not the latest, the task is read and the change made anew.
 *
 * @example A task from creation to its result
 * ```ts
 * import { createTaskStore } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await createTaskStore(); // memory; { url } for Redis
 * const { task } = await store.create("alice", "tools/call", { ttlMs: 60_000 });
 * const waiting = store.waitFor(task.taskId, "alice", { final: true });
 * await store.completeWithResult(task.taskId, "alice", { content: [] });
 * assertEquals((await waiting).task.status, "completed");
 * ```
 */
export class TaskStore implements AsyncDisposable {
  readonly #backend: StorageBackend;
  readonly #policy: ChangePolicy;
  readonly #records: TaskRepository;
  readonly #allowAnonymous: boolean;
  readonly #pollIntervalMs: number;
  readonly #maxWriteAttempts: number;
  readonly #clock: () => number;
  readonly #queue = new KeyedMutex();

  /**
   * A store on a backend, which stays the caller's to close unless the store
   * is closed.
   *
   * @param backend Where the records are kept.
   * @param options Limits and policy.
   * @throws {RangeError} If an option is out of its range.
   */
  constructor(backend: StorageBackend, options: TaskStoreOptions = {}) {
    const {
      limits = {},
      allowAnonymous = false,
      pollIntervalMs = 500,
      retention = "creation",
      encryption,
      maxWriteAttempts = 100,
      clock = Date.now,
    } = options;
    requireInteger("pollIntervalMs", pollIntervalMs, 1);
    requireInteger("maxWriteAttempts", maxWriteAttempts, 1);
    if (retention !== "creation" && retention !== "completion") {
      throw new RangeError(
        `retention is ${
          JSON.stringify(retention)
        }: expected "creation" or "completion"`,
      );
    }
    this.#backend = backend;
    this.#policy = { limits: resolveLimits(limits), retention };
    this.#records = new TaskRepository({
      backend,
      policy: this.#policy,
      sealer: encryption && new Sealer(encryption),
      clock,
    });
    this.#allowAnonymous = allowAnonymous;
    this.#pollIntervalMs = pollIntervalMs;
    this.#maxWriteAttempts = maxWriteAttempts;
    this.#clock = clock;
  }

  /** The limits in force. */
  get limits(): Required<TaskLimits> {
    return this.#policy.limits;
  }

  /** Where the records are kept. */
  get backend(): StorageBackend {
    return this.#backend;
  }

  /**
   * Makes a task in state `working`. With a `taskId` of the caller's own, the
   * same request made again returns the first task.
   *
   * @param ownerId Who may see it.
   * @param requestMethod The MCP method that makes it, such as `tools/call`.
   * @throws {ResourceExhaustedError} At the owner's quota.
   * @throws {TaskLimitError} If the TTL or the variables are over a limit.
   * @throws {TaskExistsError} If the `taskId` is taken by another request.
   */
  async create(
    ownerId: string,
    requestMethod: string,
    options: CreateTaskOptions = {},
  ): Promise<TaskRecord> {
    const owner = this.#owner(ownerId);
    const { pollIntervalMs = this.#pollIntervalMs } = options;
    requireInteger("pollIntervalMs", pollIntervalMs, 1);
    const ttl = checkTtl(this.limits, options.ttlMs);
    const taskId = options.taskId ?? crypto.randomUUID();
    const fingerprint = options.request === undefined
      ? undefined
      : await fingerprintOf(options.request);
    const now = this.#clock();
    const time = isoTime(now);
    const record: TaskRecord = {
      task: {
        taskId,
        status: "working",
        ...(options.statusMessage === undefined
          ? {}
          : { statusMessage: options.statusMessage }),
        createdAt: time,
        lastUpdatedAt: time,
        ttl,
        pollInterval: pollIntervalMs,
      },
      ownerId: owner,
      variables: mergeVariables(this.limits, {}, options.variables ?? {}),
      result: null,
      requestMethod,
      expiresAt: ttl === null ? null : isoTime(now + ttl),
      ...(fingerprint ? { requestFingerprint: fingerprint } : {}),
      ...(options.lease ? { lease: leaseFrom(options.lease, now) } : {}),
      version: 0,
    };
    for (let attempt = 1;; attempt++) {
      const created = await this.#records.create(record);
      if (created !== undefined) return created;
      // Taken: by this very request, made before, or by another one.
      const standing = await this.#records.find(taskId, owner);
      if (standing === undefined && attempt < 3) continue; // ended in between
      if (
        standing?.requestMethod !== requestMethod ||
        standing.requestFingerprint !== fingerprint
      ) throw new TaskExistsError(taskId);
      return standing;
    }
  }

  /**
   * Reads a task.
   *
   * @throws {TaskNotFoundError} If it is missing, expired or another owner's.
   */
  async get(taskId: string, ownerId: string): Promise<TaskRecord> {
    const record = await this.#records.find(taskId, this.#owner(ownerId));
    if (record === undefined) throw new TaskNotFoundError(taskId);
    return record;
  }

  /**
   * Changes several things of a task in one write.
   *
   * @throws {InvalidTransitionError} If its state does not allow it.
   * @throws {TaskLimitError} If the variables would be over a limit.
   */
  update(
    task: TaskRef,
    ownerId: string,
    update: TaskUpdate,
  ): Promise<TaskRecord> {
    return this.modify(task, ownerId, () => update);
  }

  /**
   * Changes a task by what it is: `change` is called with the record that
   * stands, and again with a later one where others write first.
   *
   * @param change Returns what is to change; `undefined`: nothing.
   * @throws {InvalidTransitionError} If its state does not allow the change.
   * @throws {ConcurrentModificationError} If others keep writing first.
   */
  modify(
    task: TaskRef,
    ownerId: string,
    change: (record: TaskRecord) => TaskUpdate | undefined,
  ): Promise<TaskRecord> {
    return this.#mutate(task, ownerId, (record, now) => {
      const update = change(record);
      return update && applyUpdate(this.#policy, record, update, now);
    });
  }

  /**
   * Moves a task to another state.
   *
   * @throws {InvalidTransitionError} If its state does not allow it.
   */
  updateStatus(
    task: TaskRef,
    ownerId: string,
    status: TaskStatus,
    statusMessage?: string,
  ): Promise<TaskRecord> {
    return this.update(task, ownerId, {
      status,
      statusMessage: statusMessage ?? null,
    });
  }

  /**
   * Merges variables into a task; `null` deletes a name.
   *
   * @throws {TaskLimitError} If what results is over a limit.
   */
  setVariables(
    task: TaskRef,
    ownerId: string,
    variables: Readonly<Record<string, unknown>>,
  ): Promise<TaskRecord> {
    return this.update(task, ownerId, { variables });
  }

  /** Stores a result and leaves the state as it is. */
  setResult(
    task: TaskRef,
    ownerId: string,
    result: unknown,
  ): Promise<TaskRecord> {
    return this.update(task, ownerId, { result: result ?? null });
  }

  /** Completes a task: state, message and result in one write. */
  completeWithResult(
    task: TaskRef,
    ownerId: string,
    result: unknown,
    statusMessage?: string,
  ): Promise<TaskRecord> {
    return this.update(task, ownerId, {
      status: "completed",
      statusMessage: statusMessage ?? null,
      result: result ?? null,
    });
  }

  /**
   * Fails a task with the error its request would have been answered with.
   *
   * @param statusMessage Default: the error's message.
   */
  fail(
    task: TaskRef,
    ownerId: string,
    error: JsonRpcError,
    statusMessage: string = error.message,
  ): Promise<TaskRecord> {
    return this.update(task, ownerId, {
      status: "failed",
      statusMessage,
      error,
    });
  }

  /** Cancels a task. */
  cancel(
    task: TaskRef,
    ownerId: string,
    statusMessage?: string,
  ): Promise<TaskRecord> {
    return this.updateStatus(task, ownerId, "cancelled", statusMessage);
  }

  /**
   * Reads the result of a task.
   *
   * @returns The result; `null` where the task ended without one.
   * @throws {TaskNotReadyError} Before a final state.
   */
  async getResult(taskId: string, ownerId: string): Promise<unknown> {
    const record = await this.get(taskId, ownerId);
    if (!isFinalStatus(record.task.status)) {
      throw new TaskNotReadyError(taskId, record.task.status);
    }
    return record.result;
  }

  /**
   * Reads one page of an owner's tasks, newest first.
   *
   * @throws {TaskCursorError} If the cursor is not one of this list.
   */
  async list(
    ownerId: string,
    options: ListTasksOptions = {},
  ): Promise<TaskPage> {
    return await this.#records.page(this.#owner(ownerId), options);
  }

  /** Deletes a task; `true` if it was there. */
  async delete(taskId: string, ownerId: string): Promise<boolean> {
    return await this.#records.delete(taskId, this.#owner(ownerId));
  }

  /**
   * Keeps a task that is not final alive: it ends that long from now, in the
   * record and on every key.
   *
   * @throws {TaskLimitError} If that is over `limits.maxTtlMs`.
   */
  async touch(
    task: TaskRef,
    ownerId: string,
    options: { readonly ttlMs: number },
  ): Promise<TaskRecord> {
    const ttlMs = checkTtl(this.limits, options.ttlMs)!;
    return await this.#mutate(
      task,
      ownerId,
      (record, now) => extendTtl(this.#policy, record, ttlMs, now),
    );
  }

  /**
   * Takes a task for a worker: unless the lease is renewed before it runs out,
   * the task is read by everyone as failed, and the worker's later writes are
   * refused. The clocks of all instances must agree to well within `forMs`.
   *
   * @throws {LeaseHeldError} If another worker holds it.
   */
  async lease(
    task: TaskRef,
    ownerId: string,
    options: LeaseOptions,
  ): Promise<TaskRecord> {
    return await this.#lease(task, ownerId, options, false);
  }

  /**
   * Prolongs a lease: it holds that long from now.
   *
   * @throws {LeaseHeldError} If the holder does not hold it.
   * @throws {LeaseLostError} If it has run out.
   */
  async renew(
    task: TaskRef,
    ownerId: string,
    options: LeaseOptions,
  ): Promise<TaskRecord> {
    return await this.#lease(task, ownerId, options, true);
  }

  /**
   * Yields the task as it stands, then every later version; ends when it is
   * deleted or expires. It rides on events and does not poll.
   *
   * @throws {TaskNotFoundError} At the first step, if there is no such task.
   */
  watch(
    taskId: string,
    ownerId: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncIterable<TaskRecord> {
    const owner = this.#owner(ownerId);
    return watchTask({
      clock: this.#clock,
      open: (signal) => this.#records.watch(taskId, owner, signal),
      refresh: () => this.#records.find(taskId, owner),
    }, options.signal);
  }

  /**
   * Waits until a task is in a state, or in a final one. It rides on events
   * and does not poll.
   *
   * @returns The task in that state.
   * @throws {TaskTimeoutError} If that takes longer than `timeoutMs`.
   * @throws {InvalidTransitionError} If the task has ended in another state.
   * @throws {TaskExpiredError} If it expires meanwhile.
   */
  async waitFor(
    taskId: string,
    ownerId: string,
    options: WaitOptions,
  ): Promise<TaskRecord> {
    return await waitForTask(
      taskId,
      this.#clock,
      (signal) => this.watch(taskId, ownerId, { signal }),
      options,
    );
  }

  /**
   * A signal for the worker of a task, wherever it runs: it aborts when the
   * task is cancelled, expires, is deleted or has failed for a lost lease, by
   * event and at once. Its reason is the `TaskError` that says so. A task that
   * ends otherwise ends the signal without aborting it.
   */
  signalFor(taskId: string, ownerId: string): AbortSignal {
    return taskAbortSignal(
      taskId,
      this.#clock,
      () => this.watch(taskId, ownerId),
    );
  }

  /** Frees what expired tasks hold; on Redis they free it themselves. */
  async cleanupExpired(): Promise<number> {
    return await this.#records.cleanupExpired();
  }

  /** Closes the backend. */
  async close(): Promise<void> {
    await this.#backend.close();
  }

  /** Closes the backend: `await using` calls it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #owner(ownerId: string): string {
    const anonymous = ownerId === "" || ownerId === "local";
    if (anonymous && !this.#allowAnonymous) {
      throw new AnonymousOwnerError(ownerId);
    }
    return ownerId === "" ? "local" : ownerId;
  }

  /** Reads, changes and writes a task until no one else comes in between. */
  async #mutate(
    ref: TaskRef,
    ownerId: string,
    change: Change,
  ): Promise<TaskRecord> {
    const owner = this.#owner(ownerId);
    const taskId = typeof ref === "string" ? ref : ref.task.taskId;
    const held = typeof ref === "string" ? undefined : ref;
    if (held !== undefined && held.ownerId !== owner) {
      throw new TaskNotFoundError(taskId);
    }
    // Writes of this instance to one task take turns: only other instances
    // are raced with.
    return await this.#queue.run(`${owner}\n${taskId}`, async () => {
      if (held !== undefined) {
        const written = await this.#tryHeld(held, change);
        if (written !== undefined) return written;
      }
      for (let attempt = 1;; attempt++) {
        const record = await this.#records.find(taskId, owner);
        if (record === undefined) throw taskGone(taskId, held, this.#clock());
        const changed = change(record, this.#clock());
        if (changed === undefined) return record;
        const written = await this.#replace(changed);
        if (!(written instanceof VersionConflictError)) return written;
        if (attempt >= this.#maxWriteAttempts) {
          throw new ConcurrentModificationError(taskId, attempt, {
            cause: written,
          });
        }
        await pause(attempt);
      }
    });
  }

  /**
   * Writes on top of a record the caller holds. It may be out of date: then
   * nothing of it decides, not even a refusal, and the task is read.
   */
  async #tryHeld(
    held: TaskRecord,
    change: Change,
  ): Promise<TaskRecord | undefined> {
    if (hasLostWorker(held, this.#clock())) return undefined;
    let changed: TaskRecord | undefined;
    try {
      changed = change(held, this.#clock());
    } catch (error) {
      if (error instanceof TaskError) return undefined;
      throw error;
    }
    if (changed === undefined) return undefined;
    const written = await this.#replace(changed);
    return written instanceof VersionConflictError ? undefined : written;
  }

  /** Writes a record; the conflict if another version stands by now. */
  async #replace(
    record: TaskRecord,
  ): Promise<TaskRecord | VersionConflictError> {
    try {
      return await this.#records.replace(record);
    } catch (error) {
      if (error instanceof VersionConflictError) return error;
      throw error;
    }
  }

  #lease(
    ref: TaskRef,
    ownerId: string,
    options: LeaseOptions,
    renews: boolean,
  ): Promise<TaskRecord> {
    leaseFrom(options, this.#clock());
    return this.#mutate(
      ref,
      ownerId,
      (record, now) => withLease(record, options, renews, now),
    );
  }
}

/** Lets those who came first finish: up to 50 ms, at random. */
function pause(attempt: number): Promise<void> {
  const ms = Math.random() * Math.min(2 ** attempt, 50);
  return new Promise((resolve) => setTimeout(resolve, ms));
}
