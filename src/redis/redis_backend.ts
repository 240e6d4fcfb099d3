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
} from "../backend.ts";
import {
  checkCreate,
  checkData,
  checkMeta,
  checkPage,
  checkVersion,
} from "../checks.ts";
import { encodeCursor } from "../cursor.ts";
import { Ending } from "../ending.ts";
import {
  CapacityExceededError,
  NotFoundError,
  VersionConflictError,
} from "../errors.ts";
import { type KeyParts, splitKey, splitPrefix } from "../keys.ts";
import type { MessageQueue } from "../message_queue.ts";
import { type WatchedRecord, watchRecord } from "../watch.ts";
import { explain, requireSound } from "./answers.ts";
import type { Call } from "./caller.ts";
import {
  connectClient,
  type RedisClientLike,
  type RedisConnectOptions,
} from "./client.ts";
import { closedError, Connection } from "./connection.ts";
import type { KeySchema } from "./key_schema.ts";
import { type RedisBackendOptions, resolveOptions } from "./options.ts";
import { RedisMessageQueue } from "./redis_message_queue.ts";
import { LUA_CREATE } from "./scripts/create.ts";
import { LUA_DELETE } from "./scripts/delete.ts";
import { REPLY } from "./scripts/fragments.ts";
import { LUA_GET } from "./scripts/get.ts";
import { LUA_LIST_PAGE } from "./scripts/list_page.ts";
import { LUA_LIST_TASKS } from "./scripts/list_tasks.ts";
import { LUA_PUT } from "./scripts/put.ts";
import { LUA_PUT_IF_VERSION } from "./scripts/put_if_version.ts";
import { LUA_READ_RECORDS } from "./scripts/read_records.ts";

/** One `read_records` call reads at most so many: it must not block long. */
const READ_CHUNK = 1000;

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
  readonly #client: RedisClientLike;
  readonly #options: RedisBackendOptions;
  readonly #schema: KeySchema;
  readonly #maxRecordBytes: number;
  readonly #watchRefreshMs: number;
  readonly #closed = new Ending();
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
    this.queues = new RedisMessageQueue({
      schema: this.#schema,
      maxRecordBytes: this.#maxRecordBytes,
      run: (call, key) => this.#run(call, key),
    });
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
    requireSound(key, code);
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
    requireSound(key, code);
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
        flag(this.#schema.indexesExpire),
      ],
      kind: "once",
    }, key);
    return answer === 1;
  }

  async listByPrefix(prefix: string): Promise<KeyedRecord[]> {
    const owner = splitPrefix(prefix);
    const tasks = await this.#run<string[]>({
      what: `listByPrefix ${JSON.stringify(prefix)}`,
      script: LUA_LIST_TASKS,
      keys: this.#indexKeys(owner),
      args: () => [],
      kind: "read",
    }, prefix);
    return await this.#readAll(prefix, owner, tasks);
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
    requireSound(key, code);
    const number = Number(value);
    if (code === REPLY.conflict) throw new VersionConflictError(key, 0, number);
    if (code === REPLY.full) {
      throw new CapacityExceededError(key, "records", maxRecords!, number);
    }
    return number;
  }

  async listPage(
    prefix: string,
    options: ListPageOptions = {},
  ): Promise<RecordPage> {
    const owner = splitPrefix(prefix);
    const { limit, order, after } = checkPage(options);
    let createdAt = after?.createdAt ?? "";
    let task = after?.task ?? "";
    while (true) {
      const answer = await this.#run<[number, string, string, ...string[]]>({
        what: `listPage ${JSON.stringify(prefix)}`,
        script: LUA_LIST_PAGE,
        keys: this.#indexKeys(owner),
        args: () => [order, String(limit), createdAt, task],
        kind: "read",
      }, prefix);
      const [more, lastCreatedAt, lastTask, ...found] = answer;
      const tasks = found.filter((_, i) => i % 2 === 0);
      const records = await this.#readAll(prefix, owner, tasks);
      if (more === 0) return { records };
      createdAt = lastCreatedAt;
      task = lastTask;
      // An empty page is never handed out while more may follow: only behind
      // a backlog of expired tasks does it take a further call.
      if (records.length > 0) {
        return {
          records,
          nextCursor: encodeCursor(order, { createdAt, task }),
        };
      }
    }
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
    if (this.#closed.isOver) return;
    this.#closed.end(closedError());
    if (this.#closesConnection) await this.#connection.close();
  }

  /** Closes the backend: `await using` calls it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireOpen(): void {
    this.#closed.throwIfOver();
    this.#connection.ended.throwIfOver();
  }

  /** Runs a script; an answer about a key of another type names the key. */
  async #run<T>(call: Call, key: string): Promise<T> {
    this.#requireOpen();
    try {
      return await this.#connection.caller.run(call) as T;
    } catch (error) {
      throw explain(key, error);
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
    requireSound(key, code);
    if (version === undefined || data === undefined) return undefined;
    const expires = remainingMs !== undefined && remainingMs >= 0;
    return {
      data,
      version: Number(version),
      ...(expires ? { remainingMs } : {}),
    };
  }

  /** Reads records by name: all chunks at once, one round trip. */
  async #readAll(
    prefix: string,
    owner: string,
    tasks: string[],
  ): Promise<KeyedRecord[]> {
    const chunks: string[][] = [];
    for (let i = 0; i < tasks.length; i += READ_CHUNK) {
      chunks.push(tasks.slice(i, i + READ_CHUNK));
    }
    const answers = await Promise.all(
      chunks.map((chunk) =>
        this.#run<[string | number, string?][]>({
          what: `read ${chunk.length} records of ${JSON.stringify(prefix)}`,
          script: LUA_READ_RECORDS,
          keys: [
            ...this.#indexKeys(owner),
            ...chunk.map((task) => this.#schema.record(owner, task)),
          ],
          args: () => [flag(this.#schema.indexesExpire), ...chunk],
          kind: "read",
        }, prefix)
      ),
    );
    const records: KeyedRecord[] = [];
    for (const [i, [version, data]] of answers.flat().entries()) {
      if (version === undefined) continue;
      const key = prefix + tasks[i];
      if (data === undefined) requireSound(key, Number(version));
      else records.push({ key, data, version: Number(version) });
    }
    return records;
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
        flag(this.#schema.indexesExpire),
      ],
    };
  }

  #recordKeys({ owner, task }: KeyParts): string[] {
    return [this.#schema.record(owner, task), ...this.#indexKeys(owner)];
  }

  #indexKeys(owner: string): string[] {
    return [this.#schema.createdIndex(owner), this.#schema.expiryIndex(owner)];
  }
}

function flag(value: boolean): string {
  return value ? "1" : "0";
}
