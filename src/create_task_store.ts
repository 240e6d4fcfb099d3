/** The shortest way to a store: on Redis for a URL, in memory without one. */

import { MemoryBackend } from "./memory/memory_backend.ts";
import type { RedisConnectOptions } from "./redis/connect.ts";
import type { RedisBackendOptions } from "./redis/options.ts";
import { RedisBackend } from "./redis/redis_backend.ts";
import type { TaskStoreOptions } from "./task/options.ts";
import { TaskStore } from "./task/task_store.ts";

/** Options of {@linkcode createTaskStore}. */
export interface CreateTaskStoreOptions extends TaskStoreOptions {
  /**
   * The Redis to use: whatever `RedisBackend.connect` takes, a URL, a Cluster
   * or a Sentinel. Left out: tasks are kept in the memory of this process.
   */
  readonly url?: RedisConnectOptions | undefined;
  /** Options of the Redis backend. */
  readonly redis?: RedisBackendOptions | undefined;
}

/**
 * Opens a {@linkcode TaskStore}: on Redis where a URL is given, else in the
 * memory of this process. Closing the store closes what was opened.
 *
 * @throws {BackendError} At once, if Redis cannot be reached or refuses us.
 *
 * @example
 * ```ts
 * import { createTaskStore } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await createTaskStore({
 *   limits: { maxTasksPerOwner: 1_000 },
 * });
 * const { task } = await store.create("alice", "tools/call");
 * assertEquals(task.status, "working");
 * ```
 */
export async function createTaskStore(
  options: CreateTaskStoreOptions = {},
): Promise<TaskStore> {
  const { url, redis, ...policy } = options;
  const backend = url === undefined
    ? new MemoryBackend()
    : await RedisBackend.connect(url, redis);
  try {
    return new TaskStore(backend, policy);
  } catch (error) {
    await backend.close();
    throw error;
  }
}
