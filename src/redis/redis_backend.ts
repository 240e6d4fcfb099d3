/**
 * The storage contract on Redis: every write of a record is one Lua script, so
 * that a record, its index entries, its expiry and its event change together.
 *
 * @module
 */

import type { StorageBackend } from "../storage/backend.ts";
import type {
  CreateOptions,
  DeleteOptions,
  ExpectedRecord,
  KeyedRecord,
  ListPageOptions,
  PutIfVersionOptions,
  RecordPage,
  VersionedRecord,
  WatchOptions,
  WriteOptions,
} from "../storage/record.ts";
import {
  checkCreate,
  checkData,
  checkDelete,
  checkExpected,
  checkFencing,
  checkWrite,
} from "../storage/checks.ts";
import {
  CapacityExceededError,
  NotFoundError,
  VersionConflictError,
} from "../storage/errors.ts";
import { makePrefix, parseKey, splitKey } from "../storage/keys.ts";
import type { LeaseRequest, LeaseStorage } from "../storage/leases.ts";
import type { DueStorage } from "../storage/due.ts";
import type { MessageQueue } from "../storage/message_queue.ts";
import type { StepStorage } from "../storage/steps.ts";
import { WatchHub } from "../storage/watch.ts";
import type { WatchedRecord } from "../storage/watch_source.ts";
import { CloseSignal } from "../util/close_signal.ts";
import type { RedisClientLike } from "./client_like.ts";
import { connectLink, type RedisConnectOptions } from "./connect.ts";
import { Connection } from "./connection.ts";
import { borrowLink } from "./link.ts";
import { RedisLists } from "./lists.ts";
import { type RedisBackendOptions, resolveOptions } from "./options.ts";
import {
  type Expected,
  type LeaseRule,
  leaseRuleOf,
  RecordCalls,
  type RecordWrite,
} from "./record_calls.ts";
import type { RedisContext } from "./redis_context.ts";
import { RedisDue } from "./redis_due.ts";
import { RedisLeases } from "./redis_leases.ts";
import { RedisMessageQueue } from "./redis_message_queue.ts";
import { RedisSteps } from "./redis_steps.ts";
import { closedError } from "./replies.ts";

/** The age up to which a new watch may begin with what another has read. */
const WATCH_REUSE_MS = 1000;

/**
 * A {@linkcode StorageBackend} on Redis >= 7.0 or Valkey >= 7.2: a single
 * node, Sentinel or Cluster.
 *
 * @example Open a connection of its own
 * ```ts ignore
 * import { makeKey, RedisBackend } from "@mcp-tasks/redis";
 *
 * await using backend = await RedisBackend.connect("redis://127.0.0.1:6379");
 * await backend.create(makeKey("alice", "t-1"), "queued");
 * ```
 *
 * @example Borrow a client, pool, cluster or sentinel
 * ```ts ignore
 * import { RedisBackend } from "@mcp-tasks/redis";
 * import { createCluster } from "redis";
 *
 * const cluster = await createCluster({
 *   rootNodes: [{ url: "redis://127.0.0.1:7000" }],
 * }).connect();
 * await using backend = new RedisBackend(cluster, { prefix: "app" });
 * ```
 */
export class RedisBackend implements StorageBackend {
  /** Queues of messages beside the records, on the same connection. */
  readonly queues: MessageQueue;
  /** Leases on the records, on the same connection. */
  readonly leases: LeaseStorage;
  /** Recorded steps of the records, on the same connection. */
  readonly steps: StepStorage;
  /** Hints that a record wants a worker, on the same connection. */
  readonly due: DueStorage;
  readonly #options: RedisBackendOptions;
  readonly #context: RedisContext;
  readonly #calls: RecordCalls;
  readonly #lists: RedisLists;
  readonly #watches: WatchHub;
  readonly #closed = new CloseSignal();
  /** Shared with the backends that `withPrefix` makes. */
  readonly #connection: Connection;
  /** Whether closing this backend ends the connection. */
  #closesConnection = true;

  /**
   * Borrows a connected client; closing the backend leaves it open.
   *
   * @param client A node-redis client, client pool, cluster or sentinel.
   * @param options Key layout, limits and failure policy.
   * @throws {TypeError} If it is no connected node-redis client.
   * @throws {RangeError} If an option is out of its range.
   */
  constructor(client: RedisClientLike, options: RedisBackendOptions = {}) {
    const resolved = resolveOptions(options);
    // `connect` and `withPrefix` hand over a connection in place of a client.
    const given: unknown = client;
    const connection = given instanceof Connection
      ? given
      : new Connection(borrowLink(client, resolved.onWarning), resolved);
    this.#options = options;
    this.#connection = connection;
    const { executor, events, link } = connection;
    const context: RedisContext = {
      schema: resolved.schema,
      maxRecordBytes: resolved.maxRecordBytes,
      clock: executor.clock,
      events,
      isCluster: link.kind === "cluster",
      run: (call) => {
        this.#requireOpen();
        return executor.run(call);
      },
    };
    this.#context = context;
    this.#calls = new RecordCalls(context);
    this.#lists = new RedisLists(context, this.#calls);
    this.#watches = new WatchHub({
      closed: [this.#closed, connection.ended],
      refreshMs: resolved.watchRefreshMs,
      reuseMs: WATCH_REUSE_MS,
      read: (key) => this.#readWatched(key),
      subscribe: (key, listener) => {
        const { owner, task } = splitKey(key);
        return events.changes(context.schema.events(owner, task), listener);
      },
    });
    this.queues = new RedisMessageQueue(context);
    this.steps = new RedisSteps(context);
    this.due = new RedisDue(context);
    this.leases = new RedisLeases(context, {
      check: (key, data, meta) => this.#check(key, data, meta),
      create: (write, quotas, lease) => this.#create(write, quotas, lease),
      putIfVersion: (write, expected, rule) =>
        this.#putIfVersion(write, expected, rule),
    });
  }

  /**
   * Opens a connection, which `close` closes.
   *
   * @param target A `redis[s]://` URL, the options of node-redis'
   * `createClient`, `{ rootNodes }` for a Cluster, or
   * `{ sentinelRootNodes, name }` for a Sentinel. Default:
   * `redis://127.0.0.1:6379`.
   * @param options Key layout, limits and failure policy.
   * @throws {TypeError} If the target is none of these.
   * @throws {RangeError} If an option is out of its range.
   * @throws {BackendError} At once, if Redis cannot be reached or refuses us.
   */
  static async connect(
    target: RedisConnectOptions = "redis://127.0.0.1:6379",
    options: RedisBackendOptions = {},
  ): Promise<RedisBackend> {
    const resolved = resolveOptions(options);
    const link = await connectLink(target, resolved);
    const connection = new Connection(link, resolved);
    // Where it is refused, writes are too, and say so themselves.
    await connection.executor.askTime(resolved.schema.prefix).catch(() => {});
    return new RedisBackend(asClient(connection), options);
  }

  /** The beginning of every key of this backend. */
  get prefix(): string {
    return this.#context.schema.prefix;
  }

  /**
   * Makes a backend for another prefix on the same connection. It ends with
   * this one; closing it closes nothing else.
   *
   * @param prefix What its keys begin with, without braces.
   * @throws {RangeError} If the prefix is empty or has a brace.
   */
  withPrefix(prefix: string): RedisBackend {
    const options = { ...this.#options, prefix };
    const other = new RedisBackend(asClient(this.#connection), options);
    other.#closesConnection = false;
    return other;
  }

  async get(key: string): Promise<VersionedRecord> {
    const stored = await this.#context.run(this.#calls.read(key));
    // No later watch of this backend begins with less.
    this.#watches.saw(key, stored?.record ?? 0);
    if (stored === undefined) throw new NotFoundError(key);
    return stored.record;
  }

  async put(key: string, data: string, meta?: WriteOptions): Promise<number> {
    const write = this.#check(key, data, meta);
    return await this.#written(
      write,
      this.#context.run(this.#calls.put(write)),
      "kept",
    );
  }

  async putIfVersion(
    key: string,
    data: string,
    expected: ExpectedRecord,
    meta: PutIfVersionOptions = {},
  ): Promise<number> {
    const write = this.#check(key, data, meta);
    checkFencing(meta);
    return await this.#putIfVersion(
      write,
      checkExpected(expected),
      leaseRuleOf(meta),
    );
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    splitKey(key);
    const { operationId, expected } = checkDelete(options);
    const own = this.#watches.writing(key);
    try {
      const was = await this.#context.run(
        this.#calls.delete(key, operationId, expected),
      );
      own.done("deleted");
      return was;
    } finally {
      own.done();
    }
  }

  async listByPrefix(prefix: string): Promise<KeyedRecord[]> {
    return await this.#lists.all(prefix);
  }

  /** Always 0: the server expires keys itself. Nothing is sent. */
  cleanupExpired(): Promise<number> {
    return new Promise((resolve) => {
      this.#requireOpen();
      resolve(0);
    });
  }

  async create(
    key: string,
    data: string,
    options: CreateOptions = {},
  ): Promise<number> {
    const write = this.#check(key, data, options.meta);
    await this.#create(write, checkCreate(options));
    return 1;
  }

  async listPage(
    prefix: string,
    options: ListPageOptions = {},
  ): Promise<RecordPage> {
    return await this.#lists.page(prefix, options);
  }

  watch(
    key: string,
    options: WatchOptions = {},
  ): AsyncIterable<VersionedRecord> {
    splitKey(key);
    return this.#watches.watch(key, options);
  }

  async close(): Promise<void> {
    if (this.#closed.isClosed) return;
    this.#closed.end(closedError());
    if (this.#closesConnection) await this.#connection.close();
  }

  /** Closes the backend: `await using` calls it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireOpen(): void {
    this.#closed.throwIfClosed();
    this.#connection.ended.throwIfClosed();
  }

  #check(key: string, data: string, meta?: WriteOptions): RecordWrite {
    const parts = splitKey(key);
    checkData(key, data, this.#context.maxRecordBytes);
    const { expiresAt, createdAt, active, operationId } = checkWrite(
      key,
      data,
      meta,
    );
    return { key, parts, data, expiresAt, createdAt, active, operationId };
  }

  async #readWatched(key: string): Promise<WatchedRecord | undefined> {
    const stored = await this.#context.run(this.#calls.read(key));
    if (stored === undefined) return undefined;
    return { ...stored.record, ...this.#remaining(stored.expiresAtMs) };
  }

  #remaining(expiresAtMs: number | undefined): { remainingMs?: number } {
    return expiresAtMs === undefined
      ? {}
      : { remainingMs: expiresAtMs - this.#context.clock.now() };
  }

  async #create(
    write: RecordWrite,
    { maxRecords, maxActive }: ReturnType<typeof checkCreate>,
    lease?: LeaseRequest,
  ): Promise<number> {
    const call = this.#calls.create(write, maxRecords, maxActive, lease);
    const run = () =>
      this.#written(write, this.#context.run(call), undefined, () => 1);
    try {
      return await run();
    } catch (error) {
      const isFull = error instanceof CapacityExceededError &&
        error.unit !== "bytes";
      if (!isFull || !this.#context.schema.isShared) throw error;
      // Other writers leave their expired tasks in the index: it is counted
      // again before a record is refused.
      await this.#lists.dropStale(makePrefix(parseKey(write.key).owner));
      return await run();
    }
  }

  #putIfVersion(
    write: RecordWrite,
    expected: Expected,
    rule?: LeaseRule,
  ): Promise<number> {
    const call = this.#calls.putIfVersion(write, expected, rule);
    const keepsLease = rule === undefined || rule.rule === "holds";
    return this.#written(
      write,
      this.#context.run(call),
      keepsLease ? "kept" : undefined,
    );
  }

  /** Tells the watches of this backend what a write of its own has left. */
  #written(
    write: RecordWrite,
    result: Promise<number>,
    lease: "kept" | undefined,
    versionOf?: (result: number) => number,
  ): Promise<number> {
    // A watch that begins while the write is under way reads for itself.
    return this.#watches.isWatched(write.key)
      ? this.#tell(write, result, lease, versionOf)
      : result;
  }

  async #tell(
    { key, data, operationId, expiresAt }: RecordWrite,
    result: Promise<number>,
    lease: "kept" | undefined,
    versionOf: (result: number) => number = (version) => version,
  ): Promise<number> {
    const own = this.#watches.writing(key);
    try {
      const value = await result;
      own.done({
        data,
        version: versionOf(value),
        etag: operationId,
        lease,
        ...this.#remaining(expiresAt),
      });
      return value;
    } catch (error) {
      if (error instanceof VersionConflictError) {
        this.#watches.saw(key, error.actual);
      }
      throw error;
    } finally {
      own.done();
    }
  }
}

/** A connection in place of a client; see the constructor. */
function asClient(connection: Connection): RedisClientLike {
  return connection as unknown as RedisClientLike;
}
