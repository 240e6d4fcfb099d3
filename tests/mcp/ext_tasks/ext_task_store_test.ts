/**
 * The suite of `ExtTaskStore` in memory, where one backend is shared by both
 * instances, and what it makes of a storage that fails.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ExtTaskStore,
  MemoryBackend,
  TaskStorageError,
  TaskStore,
} from "../../../mod.ts";
import { TwoStores } from "./suite/env.ts";
import { storeTests } from "./suite/suite.ts";

for (const { name, options = {}, body } of storeTests) {
  Deno.test(`ext_tasks: ${name}`, async () => {
    await using backend = new MemoryBackend();
    const two = new TwoStores([backend, backend], options);
    try {
      await body(two);
    } finally {
      two.end();
    }
  });
}

Deno.test("ext_tasks: of a storage that fails, clients see one sentence", async () => {
  const backend = new MemoryBackend();
  const errors: unknown[] = [];
  const store = new ExtTaskStore(new TaskStore(backend), {
    onError(error) {
      errors.push(error);
      throw new Error("ignored");
    },
  });
  const access = { principal: "alice" };
  const { taskId } = await store.create({ ttlMs: 60_000, ...access });
  const handle = store.handle(taskId);
  await handle.status("at work");
  await backend.close();
  const calls = [
    () => store.create({ ttlMs: 60_000, ...access }),
    () => store.get(taskId, access),
    () => store.update(taskId, {}, access),
    () => store.cancel(taskId, access),
    () => store.context(taskId, access),
    () => handle.status("still"),
    () => handle.requireInput({ key: {} }),
    () => handle.complete({ content: [] }),
    () => handle.fail({ code: 1, message: "no" }),
  ];
  for (const call of calls) {
    errors.length = 0;
    const error = await assertRejects(call, Error);
    assertEquals(error.message, "the task storage failed");
    assert(errors.some((told) => told === error.cause), String(call));
    assert(error.cause instanceof TaskStorageError);
  }
  store.close();
});

Deno.test("ext_tasks: a backend without leases is used without", async () => {
  await using backend = new MemoryBackend();
  Object.defineProperty(backend, "leases", { value: undefined });
  const tasks = new TaskStore(backend);
  await assertRejects(
    // deno-lint-ignore require-await
    async () => new ExtTaskStore(tasks, { leaseMs: 1000 }),
    TypeError,
    "keeps no leases",
  );
  const store = new ExtTaskStore(tasks);
  const access = { principal: "alice" };
  const { taskId } = await store.create({ ttlMs: 60_000, ...access });
  await store.handle(taskId).complete({ content: [] });
  assertEquals((await store.get(taskId, access))?.status, "completed");
});
