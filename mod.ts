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
export type {
  InputRequest,
  InputResponse,
  TaskHandle,
} from "./src/mcp/extension/handle.ts";
export type { TaskToolResult } from "./src/mcp/extension/outcome.ts";
export type { DrainOptions, DrainResult } from "./src/mcp/extension/runner.ts";
export type {
  AuthInfoLike,
  McpFetch,
  McpFetchOptions,
  McpHandlerLike,
  McpServerLike,
  RequestContext,
  SchemaLike,
  ToolCallContext,
} from "./src/mcp/extension/sdk.ts";
export {
  TasksExtension,
  type TasksExtensionOptions,
} from "./src/mcp/extension/tasks_extension.ts";
export type {
  ArgumentsOf,
  TaskToolConfig,
  TaskToolHandler,
} from "./src/mcp/extension/tool_calls.ts";
export { TaskFailedError } from "./src/mcp/sdk/errors.ts";
export type { SdkOwnerOptions } from "./src/mcp/sdk/owner.ts";
export {
  SdkTaskMessageQueue,
  type SdkTaskMessageQueueOptions,
} from "./src/mcp/sdk/task_message_queue.ts";
export {
  SdkTaskStore,
  type SdkTaskStoreOptions,
} from "./src/mcp/sdk/task_store.ts";
export type {
  SdkCreateTaskOptions,
  SdkMeta,
  SdkParams,
  SdkQueuedMessage,
  SdkRequest,
  SdkRequestId,
  SdkResult,
} from "./src/mcp/sdk/types.ts";
export {
  MemoryBackend,
  type MemoryBackendOptions,
} from "./src/memory_backend.ts";
export {
  type MessageQueue,
  type PushOptions,
  QueueFullError,
} from "./src/message_queue.ts";
export type { DurabilityOptions, RetryOptions } from "./src/redis/caller.ts";
export type {
  RedisClientLike,
  RedisClientSettings,
  RedisConnectOptions,
  ScriptInput,
  ScriptRunner,
} from "./src/redis/client.ts";
export type { KeySchemaName } from "./src/redis/key_schema.ts";
export type { RedisBackendOptions } from "./src/redis/options.ts";
export { RedisBackend } from "./src/redis/redis_backend.ts";
export type { LuaScript } from "./src/redis/script.ts";
export { LUA_CREATE } from "./src/redis/scripts/create.ts";
export { LUA_DELETE } from "./src/redis/scripts/delete.ts";
export { LUA_GET } from "./src/redis/scripts/get.ts";
export { LUA_LIST_PAGE } from "./src/redis/scripts/list_page.ts";
export { LUA_LIST_TASKS } from "./src/redis/scripts/list_tasks.ts";
export { LUA_PUT } from "./src/redis/scripts/put.ts";
export { LUA_PUT_IF_VERSION } from "./src/redis/scripts/put_if_version.ts";
export { LUA_QUEUE_DRAIN } from "./src/redis/scripts/queue_drain.ts";
export { LUA_QUEUE_PUSH } from "./src/redis/scripts/queue_push.ts";
export { LUA_QUEUE_SHIFT } from "./src/redis/scripts/queue_shift.ts";
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
  CreateTaskOptions,
  LeaseOptions,
  ListTasksOptions,
  TaskPage,
  TaskRef,
  TaskStoreOptions,
  TaskUpdate,
} from "./src/task/options.ts";
export type {
  JsonRpcError,
  Task,
  TaskLease,
  TaskRecord,
} from "./src/task/record.ts";
export type {
  EncryptionOptions,
  SealCryptoKey,
  SealKey,
} from "./src/task/seal.ts";
export {
  canTransition,
  type FinalTaskStatus,
  isFinalStatus,
  TASK_STATUSES,
  type TaskStatus,
} from "./src/task/status.ts";
export { TaskStore } from "./src/task/task_store.ts";
export type { WaitOptions } from "./src/task/waiting.ts";
