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
  checkDelete,
  checkExpected,
  checkFencing,
} from "../storage/checks.ts";
import { NotFoundError } from "../storage/errors.ts";
import { splitKey } from "../storage/keys.ts";
import type { LeaseStorage } from "../storage/leases.ts";
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
import { KeySchema } from "./key_schema.ts";
import {
  type RedisBackendOptions,
  type ResolvedOptions,
  resolveOptions,
} from "./options.ts";
import { readCall } from "./read_call.ts";
import { leaseRuleOf, RecordWrites, remaining } from "./record_writes.ts";
import type { RedisContext } from "./redis_context.ts";
import { RedisDue } from "./redis_due.ts";
import { RedisLeases } from "./redis_leases.ts";
import { RedisMessageQueue } from "./redis_message_queue.ts";
import { RedisSteps } from "./redis_steps.ts";
import { closedError } from "./replies.ts";

/** The target of `connect` without arguments. */
const LOCAL = "redis://127.0.0.1:6379";

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
  readonly #options: ResolvedOptions;
  readonly #context: RedisContext;
  readonly #lists: RedisLists;
  readonly #watches: WatchHub;
  readonly #writes: RecordWrites;
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
    const given: unknown = client;
    const { connection, resolved } = given instanceof Handover
      ? given
      : borrow(client, resolveOptions(options));
    this.#options = resolved;
    this.#connection = connection;
    const { executor, events, link } = connection;
    const context: RedisContext = {
      schema: resolved.schema,
      maxRecordBytes: resolved.maxRecordBytes,
      clock: executor.clock,
      events,
      onWarning: resolved.onWarning,
      isCluster: link.kind === "cluster",
      run: (call) => {
        this.#requireOpen();
        return executor.run(call);
      },
    };
    this.#context = context;
    this.#lists = new RedisLists(context);
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
    this.#writes = new RecordWrites(context, this.#lists, this.#watches);
    this.queues = new RedisMessageQueue(context);
    this.steps = new RedisSteps(context);
    this.due = new RedisDue(context);
    this.leases = new RedisLeases(context, this.#writes, this.#watches);
  }

  /**
   * Opens a connection, which `close` closes.
   *
   * @param target A `redis[s]://` URL, the options of node-redis'
   * `createClient`, `{ rootNodes }` for a Cluster, or
   * `{ sentinelRootNodes, name }` for a Sentinel.
   * @param options Key layout, limits and failure policy.
   * @throws {TypeError} If the target is none of these.
   * @throws {RangeError} If an option is out of its range.
   * @throws {BackendError} At once, if Redis cannot be reached or refuses us.
   */
  static connect(
    target: RedisConnectOptions,
    options?: RedisBackendOptions,
  ): Promise<RedisBackend>;
  /**
   * Opens a connection to `redis://127.0.0.1:6379`, which `close` closes. Only
   * a call without arguments does: a target that is `undefined` is refused.
   *
   * @throws {BackendError} At once, if Redis cannot be reached or refuses us.
   */
  static connect(): Promise<RedisBackend>;
  static async connect(
    ...given: [target?: RedisConnectOptions, options?: RedisBackendOptions]
  ): Promise<RedisBackend> {
    const [target, options = {}] = given.length === 0 ? [LOCAL] : given;
    const resolved = resolveOptions(options);
    const link = await connectLink(target as RedisConnectOptions, resolved);
    const connection = new Connection(link, resolved);
    // Where it is refused, writes are too, and say so themselves.
    await connection.executor.askTime(resolved.schema.prefix).catch(() => {});
    return new RedisBackend(new Handover(connection, resolved).asClient());
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
   * @throws {TypeError} If the prefix is no string; there is no default.
   * @throws {RangeError} If the prefix is empty or has a brace.
   */
  withPrefix(prefix: string): RedisBackend {
    const { schema } = this.#options;
    const resolved = {
      ...this.#options,
      schema: new KeySchema(schema.name, prefix),
    };
    const handover = new Handover(this.#connection, resolved);
    const other = new RedisBackend(handover.asClient());
    other.#closesConnection = false;
    return other;
  }

  async get(key: string): Promise<VersionedRecord> {
    const stored = await this.#context.run(readCall(this.#context, key));
    // No later watch of this backend begins with less.
    if (this.#watches.isWatched(key)) {
      this.#watches.saw(
        key,
        stored === undefined ? 0 : {
          ...stored.record,
          ...remaining(this.#context, stored.expiresAtMs),
        },
      );
    }
    if (stored === undefined) throw new NotFoundError(key);
    return stored.record;
  }

  async put(key: string, data: string, meta?: WriteOptions): Promise<number> {
    return await this.#writes.put(this.#writes.check(key, data, meta));
  }

  async putIfVersion(
    key: string,
    data: string,
    expected: ExpectedRecord,
    meta: PutIfVersionOptions = {},
  ): Promise<number> {
    const write = this.#writes.check(key, data, meta);
    const fencing = checkFencing(meta);
    return await this.#writes.putIfVersion(
      write,
      checkExpected(expected),
      leaseRuleOf(fencing),
    );
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    splitKey(key);
    const { operationId, expected } = checkDelete(options);
    return await this.#writes.delete(key, operationId, expected);
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
    const write = this.#writes.check(key, data, options.meta);
    await this.#writes.create(write, checkCreate(options));
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

  async #readWatched(key: string): Promise<WatchedRecord | undefined> {
    const stored = await this.#context.run(readCall(this.#context, key));
    if (stored === undefined) return undefined;
    return {
      ...stored.record,
      ...remaining(this.#context, stored.expiresAtMs),
    };
  }
}

/**
 * The argument that `connect` and `withPrefix` give the constructor in place of a client:
 * options are read and checked once.
 */
class Handover {
  readonly connection: Connection;
  readonly resolved: ResolvedOptions;

  constructor(connection: Connection, resolved: ResolvedOptions) {
    this.connection = connection;
    this.resolved = resolved;
  }

  asClient(): RedisClientLike {
    return this as unknown as RedisClientLike;
  }
}

function borrow(client: RedisClientLike, resolved: ResolvedOptions): Handover {
  const link = borrowLink(client, resolved.onWarning);
  return new Handover(new Connection(link, resolved), resolved);
}
