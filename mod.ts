/**
 * Durable storage for MCP tasks: visible to every instance of a server,
 * private to their owner, atomic, and gone when their TTL ends.
 *
 * {@linkcode RedisBackend} keeps them in Redis, {@linkcode MemoryBackend} in
 * the memory of one process; both keep every promise of
 * {@linkcode StorageBackend}.
 *
 * @example The same code on either backend
 * ```ts
 * import { makeKey, MemoryBackend } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using backend = new MemoryBackend(); // or: await RedisBackend.connect()
 * const key = makeKey("auth0|7", "t-1");
 * await backend.create(key, "queued", {
 *   meta: { expiresAt: Date.now() + 60_000 },
 *   maxRecords: 100,
 * });
 * await backend.putIfVersion(key, "done", 1);
 * assertEquals(await backend.get(key), { data: "done", version: 2 });
 * ```
 *
 * @module
 */

export type {
  CreateOptions,
  KeyedRecord,
  ListPageOptions,
  PageOrder,
  RecordMeta,
  RecordPage,
  StorageBackend,
  VersionedRecord,
  WatchOptions,
} from "./src/backend.ts";
export {
  BackendError,
  CapacityExceededError,
  InvalidCursorError,
  InvalidDataError,
  InvalidKeyError,
  NotFoundError,
  StorageError,
  type StorageErrorCode,
  VersionConflictError,
  type WriteOutcome,
} from "./src/errors.ts";
export { type KeyParts, makeKey, makePrefix, parseKey } from "./src/keys.ts";
export {
  MemoryBackend,
  type MemoryBackendOptions,
} from "./src/memory_backend.ts";
export type { DurabilityOptions, RetryOptions } from "./src/redis/caller.ts";
export type {
  RedisClientLike,
  RedisClientSettings,
  RedisConnectOptions,
  ScriptInput,
  ScriptRunner,
} from "./src/redis/client.ts";
export type { KeySchemaName } from "./src/redis/key_schema.ts";
export {
  RedisBackend,
  type RedisBackendOptions,
} from "./src/redis/redis_backend.ts";
export type { LuaScript } from "./src/redis/script.ts";
export { LUA_CREATE } from "./src/redis/scripts/create.ts";
export { LUA_DELETE } from "./src/redis/scripts/delete.ts";
export { LUA_GET } from "./src/redis/scripts/get.ts";
export { LUA_LIST_PAGE } from "./src/redis/scripts/list_page.ts";
export { LUA_LIST_TASKS } from "./src/redis/scripts/list_tasks.ts";
export { LUA_PUT } from "./src/redis/scripts/put.ts";
export { LUA_PUT_IF_VERSION } from "./src/redis/scripts/put_if_version.ts";
export { LUA_READ_RECORDS } from "./src/redis/scripts/read_records.ts";
export {
  createTaskStore,
  type CreateTaskStoreOptions,
} from "./src/task/create_task_store.ts";
export {
  AnonymousOwnerError,
  ConcurrentModificationError,
  InvalidTransitionError,
  LeaseHeldError,
  LeaseLostError,
  ResourceExhaustedError,
  TaskCancelledError,
  TaskCursorError,
  TaskError,
  TaskExistsError,
  TaskExpiredError,
  TaskLimitError,
  TaskNotFoundError,
  TaskNotReadyError,
  TaskStorageError,
  TaskTimeoutError,
} from "./src/task/errors.ts";
export type { TaskLimits } from "./src/task/limits.ts";
export type {
  JsonRpcError,
  Task,
  TaskLease,
  TaskRecord,
} from "./src/task/record.ts";
export type { EncryptionOptions, SealKey } from "./src/task/seal.ts";
export {
  canTransition,
  type FinalTaskStatus,
  isFinalStatus,
  TASK_STATUSES,
  type TaskStatus,
} from "./src/task/status.ts";
export {
  type CreateTaskOptions,
  type LeaseOptions,
  type ListTasksOptions,
  type TaskPage,
  type TaskRef,
  TaskStore,
  type TaskStoreOptions,
  type TaskUpdate,
} from "./src/task/task_store.ts";
export type { WaitOptions } from "./src/task/waiting.ts";
