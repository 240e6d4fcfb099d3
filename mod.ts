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
 * await backend.putIfVersion(key, "done", await backend.get(key));
 * const { data, version } = await backend.get(key);
 * assertEquals([data, version], ["done", 2]);
 * ```
 *
 * @module
 */

export type { StorageBackend } from "./src/storage/backend.ts";
export type {
  CreateOptions,
  DamagedRecord,
  DeleteOptions,
  ExpectedRecord,
  KeyedRecord,
  ListPageOptions,
  PageOrder,
  PutIfVersionOptions,
  RecordMeta,
  RecordPage,
  VersionedRecord,
  WatchOptions,
  WriteOptions,
} from "./src/storage/record.ts";
export type {
  DueClaim,
  DueClaims,
  DueStorage,
  OfferOptions,
} from "./src/storage/due.ts";
export {
  BackendError,
  CapacityExceededError,
  type CapacityUnit,
  FencedError,
  InvalidCursorError,
  InvalidDataError,
  InvalidKeyError,
  LeaseConflictError,
  NotFoundError,
  StorageError,
  type StorageErrorCode,
  VersionConflictError,
  type WriteOutcome,
} from "./src/storage/errors.ts";
export {
  type KeyParts,
  makeKey,
  makePrefix,
  parseKey,
} from "./src/storage/keys.ts";
export type {
  GrantedLease,
  LeaseRequest,
  LeaseStorage,
} from "./src/storage/leases.ts";
export type { LeaseState } from "./src/storage/record.ts";
export type { RecordedStep, StepStorage } from "./src/storage/steps.ts";
export type {
  InputRequest,
  InputResponse,
  RequestInputOptions,
  TaskHandle,
} from "./src/mcp/v2026_07_28/handle.ts";
export type { TaskToolResult } from "./src/mcp/v2026_07_28/outcome.ts";
export type { DrainOptions, DrainResult } from "./src/mcp/v2026_07_28/drain.ts";
export { type AuthInfoLike, ownerOf } from "./src/mcp/owner.ts";
export type {
  McpFetch,
  McpFetchOptions,
  McpHandlerLike,
  McpServerLike,
  RequestContext,
  SchemaLike,
  ToolCallContext,
} from "./src/mcp/v2026_07_28/sdk.ts";
export {
  TasksExtension,
  type TasksExtensionOptions,
} from "./src/mcp/v2026_07_28/tasks_extension.ts";
export type {
  ArgumentsOf,
  TaskToolConfig,
  TaskToolHandler,
} from "./src/mcp/v2026_07_28/tool_calls.ts";
export {
  ExtTaskStore,
  type ExtTaskStoreOptions,
} from "./src/mcp/ext_tasks/ext_task_store.ts";
export type {
  ExtCreateTaskParams,
  ExtDetailedTask,
  ExtInputRequests,
  ExtInputResponses,
  ExtTask,
  ExtTaskAccess,
  ExtTaskError,
  ExtTaskHandle,
} from "./src/mcp/ext_tasks/types.ts";
export { TaskFailedError } from "./src/mcp/v2025_11_25/errors.ts";
export type { SdkOwnerOptions } from "./src/mcp/v2025_11_25/owner.ts";
export {
  SdkTaskMessageQueue,
  type SdkTaskMessageQueueOptions,
} from "./src/mcp/v2025_11_25/task_message_queue.ts";
export {
  SdkTaskStore,
  type SdkTaskStoreOptions,
} from "./src/mcp/v2025_11_25/task_store.ts";
export type {
  SdkCreateTaskOptions,
  SdkMeta,
  SdkParams,
  SdkQueuedMessage,
  SdkRequest,
  SdkRequestId,
  SdkResult,
} from "./src/mcp/v2025_11_25/types.ts";
export {
  MemoryBackend,
  type MemoryBackendOptions,
} from "./src/memory/memory_backend.ts";
export {
  type MessageQueue,
  type PushOptions,
  QueueFullError,
} from "./src/storage/message_queue.ts";
export type {
  DurabilityOptions,
  RetryOptions,
} from "./src/redis/executor/retry.ts";
export type {
  RedisClientLike,
  ScriptInput,
  ScriptRunner,
} from "./src/redis/client_like.ts";
export type {
  RedisClientSettings,
  RedisClusterSettings,
  RedisConnectOptions,
  RedisSentinelNode,
  RedisSentinelSettings,
} from "./src/redis/connect.ts";
export type { KeySchemaName } from "./src/redis/key_schema.ts";
export type { RedisBackendOptions } from "./src/redis/options.ts";
export { RedisBackend } from "./src/redis/redis_backend.ts";
export type { LuaScript } from "./src/redis/executor/script.ts";
export { LUA_CLOCK } from "./src/redis/lua/clock.ts";
export { LUA_CREATE } from "./src/redis/lua/create.ts";
export { LUA_DELETE } from "./src/redis/lua/delete.ts";
export { LUA_DROP_STALE } from "./src/redis/lua/drop_stale.ts";
export { LUA_DUE_CLAIM } from "./src/redis/lua/due_claim.ts";
export { LUA_DUE_OFFER } from "./src/redis/lua/due_offer.ts";
export { LUA_DUE_SHARDS } from "./src/redis/lua/due_shards.ts";
export { LUA_DUE_WITHDRAW } from "./src/redis/lua/due_withdraw.ts";
export { LUA_GET } from "./src/redis/lua/get.ts";
export { LUA_LEASE_ACQUIRE } from "./src/redis/lua/lease_acquire.ts";
export { LUA_LEASE_RELEASE } from "./src/redis/lua/lease_release.ts";
export { LUA_LEASE_RENEW } from "./src/redis/lua/lease_renew.ts";
export { LUA_LIST_PAGE } from "./src/redis/lua/list_page.ts";
export { LUA_PUT } from "./src/redis/lua/put.ts";
export { LUA_PUT_IF_VERSION } from "./src/redis/lua/put_if_version.ts";
export { LUA_QUEUE_DRAIN } from "./src/redis/lua/queue_drain.ts";
export { LUA_QUEUE_PUSH } from "./src/redis/lua/queue_push.ts";
export { LUA_QUEUE_SHIFT } from "./src/redis/lua/queue_shift.ts";
export { LUA_STEP_RECORD } from "./src/redis/lua/step_record.ts";
export { LUA_STEPS_OPEN } from "./src/redis/lua/steps_open.ts";
export { LUA_UPDATE } from "./src/redis/lua/update.ts";
export {
  createTaskStore,
  type CreateTaskStoreOptions,
} from "./src/create_task_store.ts";
export {
  AnonymousOwnerError,
  ConcurrentModificationError,
  InvalidTransitionError,
  TaskCancelledError,
  TaskCursorError,
  TaskError,
  TaskExistsError,
  TaskExpiredError,
  TaskNotFoundError,
  TaskNotReadyError,
  TaskStorageError,
  TaskTimeoutError,
} from "./src/task/errors.ts";
export {
  LeaseHeldError,
  type LeaseLoss,
  LeaseLostError,
} from "./src/task/lease_errors.ts";
export {
  ResourceExhaustedError,
  TaskLimitError,
} from "./src/task/limit_errors.ts";
export type { TaskLimits } from "./src/task/limits.ts";
export type {
  CreateTaskOptions,
  DamagedTask,
  LeaseOptions,
  ListTasksOptions,
  ReleaseOptions,
  TaskPage,
  TaskRef,
  TaskStoreOptions,
  TaskUpdate,
} from "./src/task/options.ts";
export type { SealCryptoKey, SealKey } from "./src/task/keyring.ts";
export type {
  JsonRpcError,
  LostLease,
  Task,
  TaskLease,
  TaskRecord,
} from "./src/task/record.ts";
export type { EncryptionOptions } from "./src/task/seal.ts";
export {
  canTransition,
  type FinalTaskStatus,
  isFinalStatus,
  TASK_STATUSES,
  type TaskStatus,
} from "./src/task/status.ts";
export { TaskStore } from "./src/task/task_store.ts";
export type { WaitOptions } from "./src/task/wait.ts";
