/**
 * The task domain on top of any storage backend: records, the status machine,
 * owners, quotas, TTL policy, variables, results, pages, leases and waiting.
 * It knows neither Redis nor a wire format.
 *
 * @module
 */

import type { StorageBackend } from "../backend.ts";
import { requireInteger } from "../checks.ts";
import {
  CapacityExceededError,
  InvalidCursorError,
  InvalidKeyError,
  NotFoundError,
  StorageError,
  VersionConflictError,
} from "../errors.ts";
import { makeKey, makePrefix, parseKey } from "../keys.ts";
import { decodeRecord, encodeRecord } from "./codec.ts";
import {
  AnonymousOwnerError,
  ConcurrentModificationError,
  InvalidTransitionError,
  LeaseHeldError,
  LeaseLostError,
  ResourceExhaustedError,
  TaskCursorError,
  TaskError,
  TaskExistsError,
  taskGone,
  TaskNotFoundError,
  TaskNotReadyError,
  TaskStorageError,
} from "./errors.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { failForLostWorker, hasLostWorker } from "./lease.ts";
import {
  checkTtl,
  mergeVariables,
  resolveLimits,
  type TaskLimits,
} from "./limits.ts";
import { TaskQueue } from "./task_queue.ts";
import type { JsonRpcError, TaskLease, TaskRecord } from "./record.ts";
import { type EncryptionOptions, requireUnsealed, Sealer } from "./seal.ts";
import { abortWithTask } from "./signal.ts";
import { canTransition, isFinalStatus, type TaskStatus } from "./status.ts";
import { waitForTask, type WaitOptions, watchTask } from "./waiting.ts";

/** Options of a {@linkcode TaskStore}. */
export interface TaskStoreOptions {
  /** What the store allows. */
  readonly limits?: TaskLimits;
  /** Whether the owners `""` and `"local"` are allowed. Default: `false`. */
  readonly allowAnonymous?: boolean;
  /** The poll interval of a task that asks for none, in milliseconds. Default: 500. */
  readonly pollIntervalMs?: number;
  /**
   * Where the TTL counts from: `"creation"` (default), or anew from the final
   * state with `"completion"`, as the store of the 2025-11-25 SDK does.
   */
  readonly retention?: "creation" | "completion";
  /** Seals what may be private. Default: nothing is sealed. */
  readonly encryption?: EncryptionOptions;
  /** How often a write that others overtake is tried. Default: 100. */
  readonly maxAttempts?: number;
  /** The time, in epoch milliseconds. Default: `Date.now`. */
  readonly clock?: () => number;
}

/** Options of {@linkcode TaskStore.create}. */
export interface CreateTaskOptions {
  /** How long the task lives, in milliseconds; `null`: for ever. Default: `limits.defaultTtlMs`. */
  readonly ttlMs?: number | null | undefined;
  /** How long a client should wait between two looks, in milliseconds. */
  readonly pollIntervalMs?: number | undefined;
  /** An id of the caller's own, which makes the call idempotent. */
  readonly taskId?: string | undefined;
  /** The request itself, JSON: with `taskId`, tells two requests apart. */
  readonly request?: unknown;
  /** First variables. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** A first message. */
  readonly statusMessage?: string | undefined;
}

/** What one write may change, all at once. */
export interface TaskUpdate {
  /** The new state; left out: it stays. */
  readonly status?: TaskStatus | undefined;
  /** The new message; left out: it stays; `null`: none. */
  readonly statusMessage?: string | null | undefined;
  /** The result; left out: it stays. */
  readonly result?: unknown;
  /** Why the request failed. */
  readonly error?: JsonRpcError | undefined;
  /** New variables; `null` deletes a name. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** What the client is asked, all of it; `null`: nothing. */
  readonly inputRequests?: Readonly<Record<string, unknown>> | null | undefined;
  /** What the client has answered, all of it. */
  readonly inputResponses?: Readonly<Record<string, unknown>> | undefined;
}

/** Options of {@linkcode TaskStore.list}. */
export interface ListTasksOptions {
  /** Where to go on: the `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** The most tasks on the page, 1 to 1,000. Default: 50. */
  readonly limit?: number | undefined;
  /** Which end to begin at. Default: `"newest"`. */
  readonly order?: "newest" | "oldest" | undefined;
}

/** One page of an owner's tasks. */
export interface TaskPage {
  /** The tasks of this page. */
  readonly tasks: readonly TaskRecord[];
  /** Where the next page begins; left out on the last page. */
  readonly nextCursor?: string;
}

/** Options of {@linkcode TaskStore.lease} and {@linkcode TaskStore.renew}. */
export interface LeaseOptions {
  /** How long the lease holds, in milliseconds. */
  readonly forMs: number;
  /** The worker's own name, unique among workers. */
  readonly holder: string;
}

/** A task: its id, or a record of it the caller holds, which saves a read. */
export type TaskRef = string | TaskRecord;

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
  readonly #limits: Required<TaskLimits>;
  readonly #allowAnonymous: boolean;
  readonly #pollIntervalMs: number;
  readonly #retention: "creation" | "completion";
  readonly #sealer: Sealer | undefined;
  readonly #maxAttempts: number;
  readonly #clock: () => number;
  readonly #queue = new TaskQueue();

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
      maxAttempts = 100,
      clock = Date.now,
    } = options;
    requireInteger("pollIntervalMs", pollIntervalMs, 1);
    requireInteger("maxAttempts", maxAttempts, 1);
    if (retention !== "creation" && retention !== "completion") {
      throw new RangeError(
        `retention is ${
          JSON.stringify(retention)
        }: expected "creation" or "completion"`,
      );
    }
    this.#backend = backend;
    this.#limits = resolveLimits(limits);
    this.#allowAnonymous = allowAnonymous;
    this.#pollIntervalMs = pollIntervalMs;
    this.#retention = retention;
    this.#sealer = encryption && new Sealer(encryption);
    this.#maxAttempts = maxAttempts;
    this.#clock = clock;
  }

  /** The limits in force. */
  get limits(): Required<TaskLimits> {
    return this.#limits;
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
    const ttl = checkTtl(this.#limits, options.ttlMs);
    const taskId = options.taskId ?? crypto.randomUUID();
    const fingerprint = options.request === undefined
      ? undefined
      : await fingerprintOf(options.request);
    const now = this.#clock();
    const time = isoTime(now);
    const first: TaskRecord = {
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
      variables: mergeVariables(this.#limits, {}, options.variables ?? {}),
      result: null,
      requestMethod,
      expiresAt: ttl === null ? null : isoTime(now + ttl),
      ...(fingerprint ? { requestFingerprint: fingerprint } : {}),
      version: 0,
    };
    const key = makeKey(owner, taskId);
    const { data, record } = await this.#encode(first);
    for (let attempt = 1;; attempt++) {
      try {
        const version = await this.#backend.create(key, data, {
          meta: metaOf(record),
          maxRecords: this.#limits.maxTasksPerOwner,
        });
        return { ...record, version };
      } catch (error) {
        if (!(error instanceof VersionConflictError) || attempt > 3) {
          throw this.#translate(error, taskId);
        }
      }
      // Taken: by this very request, made before, or by another one.
      const standing = await this.#find(taskId, owner);
      if (standing === undefined) continue; // ended in between
      if (
        standing.requestMethod !== requestMethod ||
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
    const record = await this.#find(taskId, this.#owner(ownerId));
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
      return update && this.#apply(record, update, now);
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
    const owner = this.#owner(ownerId);
    try {
      const { records, nextCursor } = await this.#backend.listPage(
        makePrefix(owner),
        options,
      );
      const found = await Promise.all(records.map(async (stored) => {
        const taskId = parseKey(stored.key).task;
        return await this.#settle(
          await this.#decode(stored.key, owner, taskId, stored),
          owner,
        );
      }));
      const tasks = found.filter((record) => record !== undefined);
      return nextCursor === undefined ? { tasks } : { tasks, nextCursor };
    } catch (error) {
      throw this.#translate(error, "");
    }
  }

  /** Deletes a task; `true` if it was there. */
  async delete(taskId: string, ownerId: string): Promise<boolean> {
    const owner = this.#owner(ownerId);
    try {
      return await this.#backend.delete(makeKey(owner, taskId));
    } catch (error) {
      if (error instanceof InvalidKeyError) return false;
      throw this.#translate(error, taskId);
    }
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
    const ttlMs = checkTtl(this.#limits, options.ttlMs)!;
    return await this.#mutate(task, ownerId, (record, now) => {
      const expiresAt = now + ttlMs;
      const ttl = expiresAt - Date.parse(record.task.createdAt);
      return {
        ...this.#apply(record, {}, now),
        task: { ...record.task, ttl, lastUpdatedAt: isoTime(now) },
        expiresAt: isoTime(expiresAt),
      };
    });
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
    return await this.#lease(task, ownerId, options, true);
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
    return await this.#lease(task, ownerId, options, false);
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
      open: (signal) => this.#watch(taskId, owner, signal),
      refresh: () => this.#find(taskId, owner),
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
    return abortWithTask(
      taskId,
      this.#clock,
      () => this.watch(taskId, ownerId),
    );
  }

  /** Frees what expired tasks hold; on Redis they free it themselves. */
  async cleanupExpired(): Promise<number> {
    try {
      return await this.#backend.cleanupExpired();
    } catch (error) {
      throw this.#translate(error, "");
    }
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

  /** The live task, if there is one; failed first if its worker is lost. */
  async #find(taskId: string, owner: string): Promise<TaskRecord | undefined> {
    let key: string;
    try {
      key = makeKey(owner, taskId);
    } catch (error) {
      // No such id can have been handed out.
      if (error instanceof InvalidKeyError) return undefined;
      throw error;
    }
    try {
      const stored = await this.#backend.get(key);
      const record = await this.#decode(key, owner, taskId, stored);
      return await this.#settle(record, owner);
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw this.#translate(error, taskId);
    }
  }

  /**
   * Fails a task whose worker is lost before anyone sees it. Of all who see
   * it at once, one write wins; the others read what it wrote.
   */
  async #settle(
    record: TaskRecord | undefined,
    owner: string,
  ): Promise<TaskRecord | undefined> {
    if (record === undefined || !hasLostWorker(record, this.#clock())) {
      return record;
    }
    try {
      return await this.#write(
        this.#retain(failForLostWorker(record, this.#clock()), this.#clock()),
        owner,
      );
    } catch (error) {
      if (!(error instanceof VersionConflictError)) throw error;
      return await this.#find(record.task.taskId, owner);
    }
  }

  /** Reads, changes and writes a task until no one else comes in between. */
  async #mutate(
    ref: TaskRef,
    ownerId: string,
    change: (record: TaskRecord, now: number) => TaskRecord | undefined,
  ): Promise<TaskRecord> {
    const owner = this.#owner(ownerId);
    const taskId = typeof ref === "string" ? ref : ref.task.taskId;
    let held = typeof ref === "string" ? undefined : ref;
    if (held !== undefined && held.ownerId !== owner) {
      throw new TaskNotFoundError(taskId);
    }
    // Writes of this instance to one task take turns: only other instances
    // are raced with.
    return await this.#queue.run(`${owner}\n${taskId}`, async () => {
      for (let attempt = 1;; attempt++) {
        // A lease that seems to have run out may have been renewed since.
        const record = held && !hasLostWorker(held, this.#clock())
          ? held
          : await this.#find(taskId, owner);
        if (record === undefined) throw taskGone(taskId, held, this.#clock());
        const changed = change(record, this.#clock());
        if (changed === undefined) return record;
        try {
          return await this.#write(changed, owner);
        } catch (error) {
          if (!(error instanceof VersionConflictError)) {
            throw this.#translate(error, taskId);
          }
          if (error.actual === 0) throw taskGone(taskId, record, this.#clock());
          if (attempt >= this.#maxAttempts) {
            throw new ConcurrentModificationError(taskId, attempt, {
              cause: error,
            });
          }
        }
        held = undefined;
        await pause(attempt);
      }
    });
  }

  /** The record with an update; refused where its state does not allow it. */
  #apply(record: TaskRecord, update: TaskUpdate, now: number): TaskRecord {
    const { task } = record;
    const status = update.status ?? task.status;
    requireChangeable(record, update.status ?? task.status, update.status);
    const { statusMessage: oldMessage, ...rest } = task;
    const statusMessage = update.statusMessage === undefined
      ? oldMessage
      : update.statusMessage;
    const changed: TaskRecord = {
      ...record,
      task: {
        ...rest,
        status,
        ...(statusMessage == null ? {} : { statusMessage }),
        lastUpdatedAt: isoTime(now),
      },
      ...(update.result === undefined ? {} : { result: update.result }),
      ...(update.error ? { error: update.error } : {}),
      ...(update.variables
        ? {
          variables: mergeVariables(
            this.#limits,
            record.variables,
            update.variables,
          ),
        }
        : {}),
      ...(update.inputResponses
        ? { inputResponses: update.inputResponses }
        : {}),
    };
    const inputRequests = update.inputRequests === undefined
      ? record.inputRequests
      : update.inputRequests ?? undefined;
    return this.#retain(withInput(changed, inputRequests), now);
  }

  /** What changes with a final state: the lease ends, and the TTL may restart. */
  #retain(record: TaskRecord, now: number): TaskRecord {
    if (!isFinalStatus(record.task.status)) return record;
    const { lease, ...rest } = record;
    const kept = lease?.lostAt === undefined ? rest : record;
    const { ttl } = record.task;
    if (this.#retention === "creation" || ttl === null) return kept;
    return { ...kept, expiresAt: isoTime(now + ttl) };
  }

  async #lease(
    ref: TaskRef,
    ownerId: string,
    { forMs, holder }: LeaseOptions,
    fresh: boolean,
  ): Promise<TaskRecord> {
    requireInteger("forMs", forMs, 1, 2 ** 53 - 1);
    if (typeof holder !== "string" || holder === "") {
      throw new TypeError("holder is empty: expected the worker's own name");
    }
    return await this.#mutate(ref, ownerId, (record, now) => {
      requireChangeable(record, record.task.status, undefined);
      const current = record.lease?.holder;
      if (current !== holder && !(fresh && current === undefined)) {
        throw new LeaseHeldError(record.task.taskId, current);
      }
      const lease: TaskLease = { holder, expiresAt: isoTime(now + forMs) };
      return { ...record, lease };
    });
  }

  async #write(record: TaskRecord, owner: string): Promise<TaskRecord> {
    const { data, record: written } = await this.#encode(record);
    const version = await this.#backend.putIfVersion(
      makeKey(owner, record.task.taskId),
      data,
      record.version,
      metaOf(written),
    );
    return { ...written, version };
  }

  async #encode(
    record: TaskRecord,
  ): Promise<{ data: string; record: TaskRecord }> {
    const plain = encodeRecord(record);
    if (this.#sealer === undefined) return plain;
    const { data } = encodeRecord(await this.#sealer.seal(plain.record));
    return { data, record: plain.record };
  }

  /** The record, or nothing if it is another's or under a wrong key. */
  async #decode(
    key: string,
    owner: string,
    taskId: string,
    stored: { data: string; version: number },
  ): Promise<TaskRecord | undefined> {
    const record = decodeRecord(key, stored.data, stored.version);
    // The key decides who owns a record; that it says so too is a second lock.
    if (record.ownerId !== owner || record.task.taskId !== taskId) {
      return undefined;
    }
    return this.#sealer
      ? await this.#sealer.open(key, record)
      : requireUnsealed(key, record);
  }

  async *#watch(
    taskId: string,
    owner: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<TaskRecord> {
    try {
      const key = makeKey(owner, taskId);
      for await (const stored of this.#backend.watch(key, { signal })) {
        const record = await this.#settle(
          await this.#decode(key, owner, taskId, stored),
          owner,
        );
        if (record === undefined) throw new TaskNotFoundError(taskId);
        yield record;
      }
    } catch (error) {
      if (error instanceof NotFoundError || error instanceof InvalidKeyError) {
        throw new TaskNotFoundError(taskId);
      }
      throw this.#translate(error, taskId);
    }
  }

  /** A storage error as the domain's. Any other error is left as it is. */
  #translate(error: unknown, taskId: string): unknown {
    if (!(error instanceof StorageError) || error instanceof TaskError) {
      return error;
    }
    if (error instanceof CapacityExceededError) {
      return error.unit === "records"
        ? new ResourceExhaustedError(
          `the owner has ${error.actual} live tasks, the most allowed`,
          "wait for tasks to expire, or delete some",
          { cause: error },
        )
        : new ResourceExhaustedError(
          `the record of task ${taskId} would have ${error.actual} bytes, over the limit of ${error.limit}`,
          "store large results elsewhere and return a reference",
          { cause: error },
        );
    }
    if (error instanceof InvalidCursorError) {
      return new TaskCursorError(error.cursor, { cause: error });
    }
    return new TaskStorageError(error.message, { cause: error });
  }
}

/** Refuses a change of a final task, or a move the machine does not know. */
function requireChangeable(
  record: TaskRecord,
  to: TaskStatus,
  move: TaskStatus | undefined,
): void {
  const { taskId, status } = record.task;
  const allowed = move === undefined
    ? !isFinalStatus(status)
    : canTransition(status, move);
  if (allowed) return;
  const { lease } = record;
  if (status === "failed" && lease?.lostAt !== undefined) {
    throw new LeaseLostError(taskId, to, lease.holder, lease.expiresAt);
  }
  throw new InvalidTransitionError(taskId, status, to);
}

/** What is asked of the client is there only while the task waits for it. */
function withInput(
  record: TaskRecord,
  inputRequests: Readonly<Record<string, unknown>> | undefined,
): TaskRecord {
  const { inputRequests: _, ...rest } = record;
  return inputRequests && rest.task.status === "input_required"
    ? { ...rest, inputRequests }
    : rest;
}

function metaOf(
  record: TaskRecord,
): { createdAt: number; expiresAt: number | undefined } {
  return {
    createdAt: Date.parse(record.task.createdAt),
    expiresAt: record.expiresAt === null
      ? undefined
      : Date.parse(record.expiresAt),
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Lets those who came first finish: up to 50 ms, at random. */
function pause(attempt: number): Promise<void> {
  const ms = Math.random() * Math.min(2 ** attempt, 50);
  return new Promise((resolve) => setTimeout(resolve, ms));
}
