/**
 * The task suite on Redis, every store on a connection of its own.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createTaskStore, RedisBackend, TaskStore } from "../../mod.ts";
import { redisEnabled } from "../support/gate.ts";
import { redisTest, withRedis } from "../support/redis_fixture.ts";
import { taskContract } from "./suite/task_suite.ts";
import { pause } from "../support/wait.ts";

taskContract({
  name: "redis_task",
  ignore: !redisEnabled,
  use: (body, { maxRecordBytes } = {}) =>
    withRedis((redis) =>
      body({
        open: async (options) => {
          const backend = await redis.connect(
            maxRecordBytes === undefined ? {} : { maxRecordBytes },
          );
          return new TaskStore(backend, options);
        },
        elapse: pause,
        now: Date.now,
        movesTheClock: false,
      })
    ),
});

redisTest("task_store_with_a_url_opens_and_closes_redis", async (redis) => {
  const options = { url: redis.url, redis: { prefix: redis.prefix } };
  const store = await createTaskStore({ ...options, pollIntervalMs: 10 });
  await using other = await createTaskStore(options);
  assert(store.backend instanceof RedisBackend);
  const { task } = await store.create("alice", "tools/call");
  assertEquals(task.pollInterval, 10);
  await store.close();
  await assertRejects(() => store.get(task.taskId, "alice"));
  assertEquals((await other.get(task.taskId, "alice")).task, task);
});

redisTest("task_store_with_bad_options_leaves_no_connection", async (redis) => {
  await assertRejects(
    () => createTaskStore({ url: redis.url, limits: { defaultTtlMs: 0 } }),
    RangeError,
  );
});
