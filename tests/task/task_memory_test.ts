/**
 * The task suite in memory, where the clock is moved instead of waited for.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  createTaskStore,
  MemoryBackend,
  TaskNotFoundError,
  TaskStore,
} from "../../mod.ts";
import { taskContract } from "./suite/task_suite.ts";

taskContract({
  name: "memory_task",
  async use(body, { maxRecordBytes, frozen = false } = {}) {
    const startMs = Date.now();
    let movedMs = 0;
    const clock = () => (frozen ? startMs : Date.now()) + movedMs;
    await using backend = new MemoryBackend(
      maxRecordBytes === undefined ? { clock } : { clock, maxRecordBytes },
    );
    await body({
      open: (options) =>
        Promise.resolve(new TaskStore(backend, { clock, ...options })),
      elapse: (ms) => Promise.resolve(void (movedMs += ms)),
      now: clock,
      movesTheClock: true,
    });
  },
});

Deno.test("memory_task_store_takes_the_options_of_any_store", async () => {
  await using store = await createTaskStore({
    memory: true,
    limits: { maxTasksPerOwner: 3 },
    pollIntervalMs: 10,
  });
  assertEquals(store.backend instanceof MemoryBackend, true);
  const { task } = await store.create("alice", "tools/call");
  assertEquals([task.pollInterval, store.limits.maxTasksPerOwner], [10, 3]);
});

Deno.test("memory_task_ends_with_its_millisecond", async () => {
  let now = Date.now();
  const clock = () => now;
  await using store = new TaskStore(new MemoryBackend({ clock }), { clock });
  const record = await store.create("alice", "tools/call", { ttlMs: 60_000 });
  assertEquals(Date.parse(record.expiresAt!), now + 60_000);
  const { taskId } = record.task;
  now += 59_999;
  const later = await store.setVariables(taskId, "alice", { n: 1 });
  assertEquals(later.expiresAt, record.expiresAt);
  assertEquals(Date.parse(later.task.lastUpdatedAt), now);
  now += 1;
  await assertRejects(() => store.get(taskId, "alice"), TaskNotFoundError);
  assertEquals(await store.list("alice"), { tasks: [] });
});
