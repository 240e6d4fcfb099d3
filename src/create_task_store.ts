/** The shortest way to a store: on Redis, or in memory where that is asked for. */

import { MemoryBackend } from "./memory/memory_backend.ts";
import type { RedisConnectOptions } from "./redis/connect.ts";
import type { RedisBackendOptions } from "./redis/options.ts";
import { RedisBackend } from "./redis/redis_backend.ts";
import type { TaskStoreOptions } from "./task/options.ts";
import { TaskStore } from "./task/task_store.ts";
import { isPlainObject, kindOf } from "./task/value_kind.ts";

/** Options of {@linkcode createTaskStore}: `url`, or `memory: true`. */
export interface CreateTaskStoreOptions extends TaskStoreOptions {
  /**
   * The address of Redis: whatever `RedisBackend.connect` takes, a URL, a
   * Cluster or a Sentinel.
   */
  readonly url?: RedisConnectOptions;
  /** Options of the Redis backend. */
  readonly redis?: RedisBackendOptions | undefined;
  /**
   * Whether tasks are kept in the memory of this process, where they end with
   * it and no other process sees them. Default: `false`.
   */
  readonly memory?: boolean | undefined;
}

/**
 * Opens a {@linkcode TaskStore}: on Redis with `url`, in the memory of this
 * process with `memory: true` or without an argument. Closing the store closes
 * what was opened.
 *
 * @throws {TypeError} If the options do not say which: memory is never what a
 * variable that is not set leads to.
 * @throws {TypeError | RangeError} If another option is refused. What was
 * opened is closed first; if that fails, too, its error is the `suppressed` of
 * this one.
 * @throws {BackendError} At once, if Redis cannot be reached or refuses us.
 *
 * @example
 * ```ts
 * import { createTaskStore } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await createTaskStore({
 *   memory: true, // or: url: "redis://127.0.0.1:6379"
 *   limits: { maxTasksPerOwner: 1_000 },
 * });
 * const { task } = await store.create("alice", "tools/call");
 * assertEquals(task.status, "working");
 * ```
 */
export async function createTaskStore(
  ...args: [options?: CreateTaskStoreOptions]
): Promise<TaskStore> {
  // An argument that is undefined is no argument left out.
  const options = args.length === 0 ? { memory: true } : checkOptions(args[0]);
  const { url, redis, memory: _, ...policy } = options;
  const backend = url === undefined
    ? new MemoryBackend()
    : await RedisBackend.connect(url, redis);
  try {
    return new TaskStore(backend, policy);
  } catch (error) {
    await closeAfter(error, backend);
    throw error;
  }
}

/** Closes a backend after an error, which is what the caller is to see. */
async function closeAfter(
  error: unknown,
  backend: MemoryBackend | RedisBackend,
): Promise<void> {
  try {
    await backend.close();
  } catch (suppressed) {
    if (error instanceof Error) Object.assign(error, { suppressed });
  }
}

const EXPECTED = "expected url, where Redis is, or memory: true";

/** Refuses options that do not say where tasks are kept, or say it twice. */
function checkOptions(options: unknown): CreateTaskStoreOptions {
  if (!isPlainObject(options)) {
    throw new TypeError(
      `the first argument is no object of options (${
        kindOf(options)
      }): expected options with url, where Redis is, or memory: true`,
    );
  }
  const { url, redis, memory } = options;
  if (memory !== undefined && typeof memory !== "boolean") {
    throw new TypeError(`memory is a ${typeof memory}: expected a boolean`);
  }
  if (memory === true) {
    const other = "url" in options ? "url" : redis && "redis";
    if (other) throw new TypeError(`memory: true and ${other}: expected one`);
  } else if (url == null) {
    const problem = "url" in options
      ? `url is ${url}, as of a variable that is not set`
      : "neither url nor memory is given";
    throw new TypeError(`${problem}: ${EXPECTED}`);
  }
  return options;
}
