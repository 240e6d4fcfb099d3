/**
 * The task domain on top of any storage backend: records, the status machine,
 * owners, quotas, TTL policy, variables, results, pages, leases and waiting.
 * It knows neither Redis nor a wire format.
 *
 * @module
 */

import type { StorageBackend } from "../storage/backend.ts";
import { checkLease, requireInteger } from "../storage/checks.ts";
import type { MessageQueue } from "../storage/message_queue.ts";
import type { StepStorage } from "../storage/steps.ts";
import { taskAbortSignal } from "./abort_signal.ts";
import { ANONYMOUS } from "./anonymous.ts";
import { applyUpdate, type ChangePolicy, extendTtl } from "./change.ts";
import { newTask } from "./creation.ts";
import {
  AnonymousOwnerError,
  TaskExistsError,
  TaskNotFoundError,
  TaskNotReadyError,
} from "./errors.ts";
import { Fingerprints } from "./fingerprint.ts";
import { Keyring } from "./keyring.ts";
import { LeaseHolders } from "./lease_holders.ts";
import { LeaseLooks } from "./lease_looks.ts";
import { checkTtl, resolveLimits, type TaskLimits } from "./limits.ts";
import {
  leaseRequest,
  optional,
  requireFunction,
  requireObject,
  requireOptions,
  requireSignal,
  requireStatus,
  requireText,
} from "./argument_checks.ts";
import { checkStoreOptions, requireBackend } from "./option_checks.ts";
import type {
  CreateTaskOptions,
  LeaseOptions,
  ListTasksOptions,
  ReleaseOptions,
  TaskPage,
  TaskRef,
  TaskStoreOptions,
  TaskUpdate,
} from "./options.ts";
import type { JsonRpcError, TaskRecord } from "./record.ts";
import { Sealer } from "./seal.ts";
import { SealedQueue } from "./sealed_queue.ts";
import { SealedSteps } from "./sealed_steps.ts";
import { TextSealer } from "./sealed_text.ts";
import { isFinalStatus, type TaskStatus } from "./status.ts";
import { type Change, TaskChanges } from "./task_changes.ts";
import { TaskLeases } from "./task_leases.ts";
import { TaskRepository } from "./task_repository.ts";
import { checkUpdate, updateOf } from "./update_checks.ts";
import { requireVariables } from "./variables.ts";
import { waitForTask, type WaitOptions } from "./wait.ts";
import { TaskWatch } from "./watch.ts";

/**
 * Tasks with owners, states and an end.
 *
 * A method that returns a promise never throws at the call: the promise
 * rejects. An argument of another type is a `TypeError`, one out of its range a
 * `RangeError`, and nothing is written. Every method may throw `AnonymousOwnerError`, `TaskStorageError` (with a
 * cause of `InvalidDataError` for a record that cannot be read) and, for a task
 * that is missing or another owner's, `TaskNotFoundError`. A write to a
 * task in a final state throws `InvalidTransitionError`. Every mutation takes
 * the id of a task or a record of it the caller holds, which saves the read:
 * if the record is not the latest, the task is read and the change made again.
 * A record of an earlier task of the same id changes nothing: that task is
 * `TaskNotFoundError`.
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
  /**
   * Queues of messages beside the tasks, if the backend has them: the
   * backend's own, or where encryption is on, with messages that are sealed.
   */
  readonly queues: MessageQueue | undefined;
  /**
   * Recorded steps of tasks, if the backend has them: the backend's own, or
   * where encryption is on, with steps that are sealed.
   */
  readonly steps: StepStorage | undefined;
  readonly #backend: StorageBackend;
  readonly #policy: ChangePolicy;
  readonly #records: TaskRepository;
  readonly #changes: TaskChanges;
  readonly #leases: TaskLeases;
  readonly #fingerprints: Fingerprints;
  readonly #looks = new LeaseLooks();
  readonly #allowAnonymous: boolean;
  readonly #pollIntervalMs: number;
  readonly #clock: () => number;

  /**
   * A store on a backend, which stays the caller's to close unless the store
   * is closed.
   *
   * @param backend The storage of the records.
   * @param options Limits and policy.
   * @throws {RangeError} If an option is out of its range.
   * @throws {TypeError} If an option has another type, or an unknown name.
   */
  constructor(backend: StorageBackend, options: TaskStoreOptions = {}) {
    requireBackend(backend);
    checkStoreOptions(options);
    const {
      limits = {},
      allowAnonymous = false,
      pollIntervalMs = 500,
      retention = "creation",
      encryption,
      maxWriteAttempts = 100,
      clock = Date.now,
    } = options;
    this.#backend = backend;
    this.#policy = { limits: resolveLimits(limits), retention };
    const keyring = encryption && new Keyring(encryption.keys);
    const allowUnsealed = encryption?.allowUnsealed ?? false;
    const holders = new LeaseHolders(keyring, allowUnsealed);
    const records = this.#records = new TaskRepository({
      backend,
      policy: this.#policy,
      sealer: keyring && new Sealer(keyring, allowUnsealed),
      holders,
      clock,
    });
    this.#fingerprints = new Fingerprints(keyring, allowUnsealed);
    const { queues, steps } = backend;
    const texts = keyring && new TextSealer(keyring, allowUnsealed);
    this.queues = queues && texts ? new SealedQueue(queues, texts) : queues;
    this.steps = steps && texts
      ? new SealedSteps(steps, texts, (key) => records.lifeOf(key))
      : steps;
    this.#changes = new TaskChanges({ records, maxWriteAttempts, clock });
    this.#leases = new TaskLeases({ backend, records, holders, clock });
    this.#allowAnonymous = allowAnonymous;
    this.#pollIntervalMs = pollIntervalMs;
    this.#clock = clock;
  }

  /** The limits in force. */
  get limits(): Required<TaskLimits> {
    return this.#policy.limits;
  }

  /** Whether the owners `""` and `"local"` are allowed. */
  get allowAnonymous(): boolean {
    return this.#allowAnonymous;
  }

  /** The storage of the records. */
  get backend(): StorageBackend {
    return this.#backend;
  }

  /**
   * Makes a task in state `working`. With a `taskId` of the caller's own, the
   * same request made again returns the first task.
   *
   * @param ownerId Who may see it.
   * @param requestMethod The MCP method that makes it, such as `tools/call`.
   * @throws {ResourceExhaustedError} If the owner has
   * `limits.maxTasksPerOwner` live or `limits.maxActiveTasksPerOwner` active
   * tasks.
   * @throws {TaskLimitError} If the TTL or the variables are over a limit.
   * @throws {TaskExistsError} If the `taskId` is taken by another request.
   * @throws {TypeError} If a lease is asked for and the backend keeps none.
   */
  async create(
    ownerId: string,
    requestMethod: string,
    options: CreateTaskOptions = {},
  ): Promise<TaskRecord> {
    const owner = this.#owner(ownerId);
    requireOptions(options);
    const lease = options.lease === undefined
      ? undefined
      : leaseRequest(options.lease);
    const record = await newTask(owner, requestMethod, options, {
      limits: this.limits,
      pollIntervalMs: this.#pollIntervalMs,
      fingerprints: this.#fingerprints,
      now: this.#clock(),
    });
    const { task: { taskId } } = record;
    for (let attempt = 1;; attempt++) {
      const created = await this.#records.create(record, lease);
      if (created !== undefined) return created;
      // Taken: by this very request, made before, or by another one.
      const found = await this.#records.find(taskId, owner);
      if (found === undefined && attempt < 3) continue; // ended in between
      const isSame = found?.requestMethod === requestMethod &&
        await this.#isOfRequest(found, record, options.request);
      if (!isSame) throw new TaskExistsError(taskId);
      return found!;
    }
  }

  /** Whether a task was made by the request that was to make another one. */
  async #isOfRequest(
    { ownerId, task, requestFingerprint: made }: TaskRecord,
    { requestFingerprint: wanted }: TaskRecord,
    request: unknown,
  ): Promise<boolean> {
    if (made === wanted) return true;
    return made !== undefined && wanted !== undefined &&
      await this.#fingerprints.matches(made, ownerId, task.taskId, request);
  }

  /**
   * Reads a task.
   *
   * @throws {TaskNotFoundError} If it is missing, expired or another owner's.
   */
  async get(taskId: string, ownerId: string): Promise<TaskRecord> {
    requireText("taskId", taskId);
    const record = await this.#records.find(taskId, this.#owner(ownerId));
    if (record === undefined) throw new TaskNotFoundError(taskId);
    return record;
  }

  /**
   * Changes several things of a task in one write.
   *
   * @throws {InvalidTransitionError} If its state does not allow it.
   * @throws {LeaseLostError} If `update.fence` is of a lease that has ended.
   * @throws {TaskLimitError} If the variables would be over a limit.
   * @throws {TypeError} If `update` is no plain object.
   */
  async update(
    task: TaskRef,
    ownerId: string,
    update: TaskUpdate,
  ): Promise<TaskRecord> {
    const checked = checkUpdate("update is", update);
    return await this.#change(
      task,
      ownerId,
      (record, now) => applyUpdate(this.#policy, record, checked, now),
    );
  }

  /**
   * Changes a task by what it is: `change` is called with the record as it is
   * stored, and again with a later one where others write first.
   *
   * @param change Returns what is to change; `undefined`: nothing. It cannot be
   * `async`: nothing waits for it.
   * @throws {TypeError} If it returns anything else; nothing is written then.
   * @throws {InvalidTransitionError} If its state does not allow the change.
   * @throws {ConcurrentModificationError} If others keep writing first.
   */
  async modify(
    task: TaskRef,
    ownerId: string,
    change: (record: TaskRecord) => TaskUpdate | undefined,
  ): Promise<TaskRecord> {
    requireFunction("change", change);
    return await this.#change(task, ownerId, (record, now) => {
      const update = updateOf(change, record);
      return update && applyUpdate(this.#policy, record, update, now);
    });
  }

  /**
   * Moves a task to another state; with a message, to the state it is in, too.
   *
   * @throws {InvalidTransitionError} If its state does not allow it.
   */
  async updateStatus(
    task: TaskRef,
    ownerId: string,
    status: TaskStatus,
    statusMessage?: string,
  ): Promise<TaskRecord> {
    requireStatus("status", status);
    return await this.modify(task, ownerId, (record) => ({
      // No state moves to itself, but its message may change.
      status: status === record.task.status && statusMessage !== undefined
        ? undefined
        : status,
      statusMessage: statusMessage ?? null,
    }));
  }

  /**
   * Merges variables into a task; `null` deletes a name. The limits are about
   * what is stored: a date is a string, an object with `toJSON` what that
   * returns.
   *
   * @throws {TaskLimitError} If what results is over a limit.
   * @throws {TypeError} If `variables` is no plain object of names and values.
   */
  async setVariables(
    task: TaskRef,
    ownerId: string,
    variables: Readonly<Record<string, unknown>>,
  ): Promise<TaskRecord> {
    requireVariables(variables);
    return await this.update(task, ownerId, { variables });
  }

  /** Stores a result and leaves the state as it is. */
  async setResult(
    task: TaskRef,
    ownerId: string,
    result: unknown,
  ): Promise<TaskRecord> {
    return await this.update(task, ownerId, { result: result ?? null });
  }

  /** Completes a task: state, message and result in one write. */
  async completeWithResult(
    task: TaskRef,
    ownerId: string,
    result: unknown,
    statusMessage?: string,
  ): Promise<TaskRecord> {
    return await this.update(task, ownerId, {
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
  async fail(
    task: TaskRef,
    ownerId: string,
    error: JsonRpcError,
    statusMessage?: string,
  ): Promise<TaskRecord> {
    requireObject("error", error);
    return await this.update(task, ownerId, {
      status: "failed",
      statusMessage: statusMessage ?? error.message,
      error,
    });
  }

  /** Cancels a task. */
  async cancel(
    task: TaskRef,
    ownerId: string,
    statusMessage?: string,
  ): Promise<TaskRecord> {
    return await this.updateStatus(task, ownerId, "cancelled", statusMessage);
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
   * Reads one page of an owner's tasks, newest first. A task whose record
   * cannot be read is named in `damaged` and spoils no other.
   *
   * @throws {TaskCursorError} If the cursor is not one of this list.
   */
  async list(
    ownerId: string,
    options: ListTasksOptions = {},
  ): Promise<TaskPage> {
    requireOptions(options);
    return await this.#records.page(this.#owner(ownerId), options);
  }

  /**
   * Deletes a task; `true` if it was there. By a record of an earlier task of
   * the same id, nothing is deleted.
   */
  async delete(task: TaskRef, ownerId: string): Promise<boolean> {
    return await this.#changes.delete(task, this.#owner(ownerId));
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
    requireOptions(options);
    const { ttlMs } = options;
    requireInteger("ttlMs", ttlMs, 1);
    checkTtl(this.limits, ttlMs);
    return await this.#change(
      task,
      ownerId,
      (record, now) => extendTtl(this.#policy, record, ttlMs, now),
    );
  }

  /**
   * Takes a task for a worker: unless the lease is renewed before it runs out,
   * the task is failed at the next look at it, and the worker's later writes
   * are refused. The storage judges, by its own clock. A lease changes neither
   * the version of the task nor what is stored of it.
   *
   * @returns The task with its lease: the record to go on with. A record from
   * before the lease does not know of it.
   * @throws {LeaseHeldError} If another worker holds it.
   * @throws {TypeError} If the backend keeps no leases.
   */
  async lease(
    task: TaskRef,
    ownerId: string,
    options: LeaseOptions,
  ): Promise<TaskRecord> {
    const request = leaseRequest(options);
    const owner = this.#owner(ownerId);
    const leased = await this.#leases.take(task, owner, request);
    this.#looks.leased(leased);
    return leased;
  }

  /**
   * Renews a lease: it holds that long from now. By a record with that lease
   * it is one small call that neither reads nor writes the task.
   *
   * @returns The record given, or by id the task as it is, with the lease.
   * @throws {LeaseHeldError} If the holder does not hold it.
   * @throws {LeaseLostError} If it has run out.
   */
  async renew(
    task: TaskRef,
    ownerId: string,
    options: LeaseOptions,
  ): Promise<TaskRecord> {
    const request = leaseRequest(options);
    const owner = this.#owner(ownerId);
    const leased = await this.#leases.renew(task, owner, request);
    this.#looks.leased(leased);
    return leased;
  }

  /**
   * Releases a lease of a task that has not ended: the task is then free, and
   * never lost. A final state releases it by itself.
   *
   * @returns `true` if it was released, now or before; `false` if the holder
   * does not hold it.
   */
  async release(
    task: TaskRef,
    ownerId: string,
    options: ReleaseOptions,
  ): Promise<boolean> {
    requireOptions(options);
    const { holder } = checkLease({ holder: options.holder, forMs: 1 });
    return await this.#leases.release(task, this.#owner(ownerId), holder);
  }

  /**
   * Yields the task as it is, then every later version; ends when it is
   * deleted or expires. It rides on events and does not poll.
   *
   * A task whose lease runs out fails, and is yielded so, when its lease ends.
   * No event tells of a lease: if another instance took it after the last
   * version that was seen here, that may be up to 30 seconds later.
   *
   * @throws {TaskNotFoundError} At the first step, if there is no such task.
   */
  watch(
    taskId: string,
    ownerId: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncIterableIterator<TaskRecord> {
    requireText("taskId", taskId);
    requireOptions(options);
    optional(requireSignal, "signal", options.signal);
    return new TaskWatch({
      records: this.#records,
      looks: this.#looks,
      taskId,
      owner: this.#owner(ownerId),
      signal: options.signal,
    });
  }

  /**
   * Waits until a task is in a state, or in a final one. It rides on events
   * and does not poll.
   *
   * @returns The task in that state.
   * @throws {TaskTimeoutError} If that takes longer than `timeoutMs`, whatever
   * the storage does.
   * @throws {InvalidTransitionError} If the task has ended in another state.
   * @throws {TaskExpiredError} If it expires meanwhile.
   */
  async waitFor(
    taskId: string,
    ownerId: string,
    options: WaitOptions,
  ): Promise<TaskRecord> {
    requireText("taskId", taskId);
    requireOptions(options);
    return await waitForTask(
      taskId,
      this.#clock,
      () => this.watch(taskId, ownerId),
      options,
    );
  }

  /**
   * A signal for the worker of a task, wherever it runs: it aborts when the
   * task is cancelled, expires, is deleted or has failed for a lost lease, by
   * event and at once. Its reason is the `TaskError` that says so. A task that
   * ends otherwise ends the signal without aborting it. A lease that another
   * instance has taken since, and lost, may be up to 30 seconds late: see
   * `watch`.
   */
  signalFor(taskId: string, ownerId: string): AbortSignal {
    requireText("taskId", taskId);
    requireText("ownerId", ownerId);
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
    requireText("ownerId", ownerId);
    const anonymous = ownerId === "" || ownerId === ANONYMOUS;
    if (anonymous && !this.#allowAnonymous) {
      throw new AnonymousOwnerError(ownerId);
    }
    return ownerId === "" ? ANONYMOUS : ownerId;
  }

  #change(
    task: TaskRef,
    ownerId: string,
    change: Change,
  ): Promise<TaskRecord> {
    return this.#changes.change(task, this.#owner(ownerId), change);
  }
}
