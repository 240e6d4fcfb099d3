/**
 * Task ids: random UUIDs, unless the caller chooses.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { validate, version } from "@std/uuid";
import { createTaskStore } from "../../mod.ts";

Deno.test("create() gives every task a random UUID", async () => {
  await using store = await createTaskStore();
  const ids = new Set<string>();
  for (let n = 0; n < 50; n++) {
    const { task } = await store.create("alice", "tools/call");
    assert(validate(task.taskId), task.taskId);
    assertEquals(version(task.taskId), 4, task.taskId);
    ids.add(task.taskId);
  }
  assertEquals(ids.size, 50);
});

Deno.test("create() keeps an id of the caller's, UUID or not", async () => {
  await using store = await createTaskStore();
  for (const taskId of [crypto.randomUUID(), "t-1", "a:b"]) {
    const { task } = await store.create("alice", "tools/call", { taskId });
    assertEquals(task.taskId, taskId);
    assertEquals((await store.get(taskId, "alice")).task.taskId, taskId);
  }
});
