/**
 * The storage contract on Redis: every operation is one Lua script, so that a
 * record, its index entries, its expiry and its event change together.
 *
 * @module
 */

import type {
  CreateOptions,
  KeyedRecord,
  ListPageOptions,
  RecordMeta,
  RecordPage,
  StorageBackend,
  VersionedRecord,
  WatchOptions,
} from "../storage/backend.ts";
import {
  checkCreate,
  checkData,
  checkMeta,
  checkVersion,
} from "../storage/checks.ts";
import { CloseSignal } from "../util/close_signal.ts";
import {
  CapacityExceededError,
  NotFoundError,
  VersionConflictError,
} from "../storage/errors.ts";
import { type KeyParts, splitKey } from "../storage/keys.ts";
import type { MessageQueue } from "../storage/message_queue.ts";
import { type WatchedRecord, watchRecord } from "../storage/watch.ts";
import { throwIfCorrupt, toStorageError } from "./replies.ts";
import type { Call, ScriptSource } from "./executor/executor.ts";
import {
  connectClient,
  type RedisClientLike,
  type RedisConnectOptions,
} from "./connect.ts";
import { closedError, Connection } from "./connection.ts";
import type { KeySchema } from "./key_schema.ts";
import { type RedisBackendOptions, resolveOptions } from "./options.ts";
import { RedisLists } from "./lists.ts";
import { RedisMessageQueue } from "./redis_message_queue.ts";
import { LUA_CREATE } from "./lua/create.ts";
import { LUA_DELETE } from "./lua/delete.ts";
import { REPLY } from "./lua/fragments/fragments.ts";
import { LUA_GET } from "./lua/get.ts";
import { LUA_PUT } from "./lua/put.ts";
import { LUA_PUT_IF_VERSION } from "./lua/put_if_version.ts";

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
  readonly #lists: RedisLists;
  readonly #client: RedisClientLike;
  readonly #options: RedisBackendOptions;
  readonly #schema: KeySchema;
  readonly #maxRecordBytes: number;
  readonly #watchRefreshMs: number;
  readonly #closed = new CloseSignal();
  /** Shared with the backends that `withPrefix` makes. */
  #connection: Connection;
  /** Whether closing this backend ends the connection. */
  #closesConnection = true;

  /**
   * Borrows a connected client; closing the backend leaves it open.
   *
   * @param client A node-redis client, client pool, cluster or sentinel.
   * @param options Key layout, limits and failure policy.
   * @throws {RangeError} If an option is out of its range.
   */
  constructor(client: RedisClientLike, options: RedisBackendOptions = {}) {
    const resolved = resolveOptions(options);
    this.#client = client;
    this.#options = options;
    this.#schema = resolved.schema;
    this.#maxRecordBytes = resolved.maxRecordBytes;
    this.#watchRefreshMs = resolved.watchRefreshMs;
    this.#connection = new Connection(client, resolved.policy, undefined);
    const source: ScriptSource = {
      schema: this.#schema,
      maxRecordBytes: this.#maxRecordBytes,
      run: (call, key) => this.#run(call, key),
    };
    this.#lists = new RedisLists(source);
    this.queues = new RedisMessageQueue(source);
  }

  /**
   * Opens a connection, which `close` closes.
   *
   * @param target A `redis[s]://` URL or the options of node-redis'
   * `createClient`. Default: `redis://127.0.0.1:6379`.
   * @param options Key layout, limits and failure policy.
   * @throws {TypeError} If the URL is not one.
   * @throws {RangeError} If an option is out of its range.
   * @throws {BackendError} At once, if Redis cannot be reached or refuses us.
   */
  static async connect(
    target: RedisConnectOptions = "redis://127.0.0.1:6379",
    options: RedisBackendOptions = {},
  ): Promise<RedisBackend> {
    const { policy } = resolveOptions(options);
    const client = await connectClient(target);
    const backend = new RedisBackend(client, options);
    backend.#connection = new Connection(client, policy, client);
    return backend;
  }

  /** What every key of this backend begins with. */
  get prefix(): string {
    return this.#schema.prefix;
  }

  /**
   * Makes a backend for another prefix on the same connection. It ends with
   * this one; closing it closes nothing else.
   *
   * @param prefix What its keys begin with, without braces.
   * @throws {RangeError} If the prefix is empty or has a brace.
   */
  withPrefix(prefix: string): RedisBackend {
    const other = new RedisBackend(this.#client, { ...this.#options, prefix });
    other.#connection = this.#connection;
    other.#closesConnection = false;
    return other;
  }

  async get(key: string): Promise<VersionedRecord> {
    const record = await this.#read(key, splitKey(key));
    if (record === undefined) throw new NotFoundError(key);
    return { data: record.data, version: record.version };
  }

  async put(key: string, data: string, meta?: RecordMeta): Promise<number> {
    const write = this.#write(key, data, meta);
    const [code, version] = await this.#run<[number, string]>({
      what: `put ${JSON.stringify(key)}`,
      script: LUA_PUT,
      keys: write.keys,
      args: () => write.args,
      kind: "once",
    }, key);
    throwIfCorrupt(key, code);
    return Number(version);
  }

  async putIfVersion(
    key: string,
    data: string,
    expected: number,
    meta?: RecordMeta,
  ): Promise<number> {
    const write = this.#write(key, data, meta);
    checkVersion(expected);
    const [code, version] = await this.#run<[number, string]>({
      what: `putIfVersion ${JSON.stringify(key)} at version ${expected}`,
      script: LUA_PUT_IF_VERSION,
      keys: write.keys,
      args: (retry) => [...write.args, String(expected), retry ? "1" : "0"],
      kind: "guarded",
    }, key);
    throwIfCorrupt(key, code);
    if (code === REPLY.conflict) {
      throw new VersionConflictError(key, expected, Number(version));
    }
    return Number(version);
  }

  async delete(key: string): Promise<boolean> {
    const parts = splitKey(key);
    const { owner, task } = parts;
    const answer = await this.#run<number>({
      what: `delete ${JSON.stringify(key)}`,
      script: LUA_DELETE,
      keys: this.#recordKeys(parts),
      args: () => [
        task,
        this.#schema.events(owner, task),
        this.#schema.indexesExpire,
      ],
      kind: "once",
    }, key);
    return answer === 1;
  }

  listByPrefix(prefix: string): Promise<KeyedRecord[]> {
    return this.#lists.all(prefix);
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
    const write = this.#write(key, data, options.meta);
    const maxRecords = checkCreate(options);
    const [code, value] = await this.#run<[number, string]>({
      what: `create ${JSON.stringify(key)}`,
      script: LUA_CREATE,
      keys: write.keys,
      args: (retry) => [
        ...write.args,
        String(maxRecords ?? ""),
        retry ? "1" : "0",
      ],
      kind: "guarded",
    }, key);
    throwIfCorrupt(key, code);
    const number = Number(value);
    if (code === REPLY.conflict) throw new VersionConflictError(key, 0, number);
    if (code === REPLY.full) {
      throw new CapacityExceededError(key, "records", maxRecords!, number);
    }
    return number;
  }

  listPage(prefix: string, options: ListPageOptions = {}): Promise<RecordPage> {
    return this.#lists.page(prefix, options);
  }

  watch(
    key: string,
    options: WatchOptions = {},
  ): AsyncIterable<VersionedRecord> {
    const parts = splitKey(key);
    const channel = this.#schema.events(parts.owner, parts.task);
    return watchRecord({
      key,
      refreshMs: this.#watchRefreshMs,
      closed: [this.#closed, this.#connection.ended],
      read: () => this.#read(key, parts),
      subscribe: (ring) => this.#connection.events.subscribe(channel, ring),
    }, options);
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

  /** Runs a script; an answer about a key of another type names the key. */
  async #run<T>(call: Call, key: string): Promise<T> {
    this.#requireOpen();
    try {
      return await this.#connection.caller.run(call) as T;
    } catch (error) {
      throw toStorageError(key, error);
    }
  }

  async #read(
    key: string,
    parts: KeyParts,
  ): Promise<WatchedRecord | undefined> {
    const [code, version, data, remainingMs] = await this.#run<
      [number, string?, string?, number?]
    >({
      what: `get ${JSON.stringify(key)}`,
      script: LUA_GET,
      keys: [this.#schema.record(parts.owner, parts.task)],
      args: () => [],
      kind: "read",
    }, key);
    throwIfCorrupt(key, code);
    if (version === undefined || data === undefined) return undefined;
    const expires = remainingMs !== undefined && remainingMs >= 0;
    return {
      data,
      version: Number(version),
      ...(expires ? { remainingMs } : {}),
    };
  }

  /** KEYS and the first ARGV of a script that writes one record. */
  #write(
    key: string,
    data: string,
    meta: RecordMeta | undefined,
  ): { keys: string[]; args: string[] } {
    const parts = splitKey(key);
    checkData(key, data, this.#maxRecordBytes);
    const { expiresAt, createdAt } = checkMeta(key, data, meta);
    return {
      keys: this.#recordKeys(parts),
      args: [
        parts.task,
        data,
        String(expiresAt ?? ""),
        String(createdAt ?? ""),
        this.#schema.events(parts.owner, parts.task),
        this.#schema.indexesExpire,
      ],
    };
  }

  #recordKeys({ owner, task }: KeyParts): string[] {
    return [this.#schema.record(owner, task), ...this.#schema.indexes(owner)];
  }
}
