/**
 * Where `createTaskStore` keeps tasks: in memory only where that is asked for.
 * What it opens on Redis is tested in `tests/task/task_redis_test.ts`.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { BackendError, createTaskStore, MemoryBackend } from "../mod.ts";

// deno-lint-ignore no-explicit-any
const create = createTaskStore as (...args: any[]) => Promise<unknown>;

Deno.test("createTaskStore() keeps tasks in memory where that is asked for", async () => {
  for (const args of [[], [{ memory: true }]] as const) {
    await using store = await createTaskStore(...args);
    assert(store.backend instanceof MemoryBackend);
    const { task } = await store.create("alice", "tools/call");
    assertEquals((await store.get(task.taskId, "alice")).task, task);
  }
});

Deno.test("createTaskStore() refuses a url that is undefined (C8)", async () => {
  // As `{ url: process.env.REDIS_URL }` has it where that is not set.
  for (const more of [{}, { memory: undefined }, { pollIntervalMs: 10 }]) {
    const error = await assertRejects(
      () => create({ url: undefined, ...more }),
      TypeError,
      "url is undefined",
    );
    assert(error.message.includes("memory: true"), error.message);
  }
  await assertRejects(() => create({ url: null }), TypeError, "url is null");
});

Deno.test("createTaskStore() refuses what is not an options object (C8)", async () => {
  const url = "redis://127.0.0.1:6379";
  const wrong = [
    url,
    new URL(url),
    undefined,
    null,
    0,
    true,
    [],
    [url],
    () => ({ url }),
    new MemoryBackend(),
    Promise.resolve({ url }),
  ];
  for (const value of wrong) {
    const error = await assertRejects(() => create(value), TypeError);
    assert(error.message.includes("expected options"), error.message);
    assert(!error.message.includes("127.0.0.1"), error.message);
  }
});

Deno.test("createTaskStore() refuses options that do not say where tasks are kept", async () => {
  const wrong = [
    {},
    { memory: false },
    { limits: { maxTasksPerOwner: 3 } },
    { redis: { prefix: "p" } },
    { URL: "redis://127.0.0.1:6379" },
  ];
  for (const options of wrong) {
    const what = JSON.stringify(options);
    await assertRejects(() => create(options), TypeError, "memory: true", what);
  }
});

Deno.test("createTaskStore() refuses options that contradict each other", async () => {
  const url = "redis://127.0.0.1:6379";
  const wrong = [
    { memory: true, url },
    { memory: true, url: undefined },
    { memory: true, redis: { prefix: "p" } },
    { memory: "yes" },
    { memory: 1 },
  ];
  for (const options of wrong) {
    await assertRejects(() => create(options), TypeError, "memory");
  }
});

Deno.test("createTaskStore() with a url never falls back to memory", async () => {
  // Nothing listens there.
  for (const url of ["redis://127.0.0.1:1", { socket: { port: 1 } }]) {
    await assertRejects(() => create({ url }), BackendError);
  }
});

Deno.test("createTaskStore() closes what it opened for options that are refused", async () => {
  let closes = 0;
  await withClose(function (this: MemoryBackend) {
    closes++;
    return close.call(this);
  }, async () => {
    const options = { memory: true, limits: { maxTasksPerOwner: 0 } };
    const error = await assertRejects(() => create(options), RangeError);
    assert(error.message.includes("limits.maxTasksPerOwner is 0"));
    assertEquals(error.cause, undefined);
  });
  assertEquals(closes, 1);
});

Deno.test("createTaskStore() throws why it failed, even where the close fails, too", async () => {
  const reason = new Error("the close failed");
  const closes = [
    () => Promise.reject(reason),
    () => {
      throw reason;
    },
  ];
  for (const failing of closes) {
    await withClose(failing, async () => {
      const options = { memory: true, limits: { maxTasksPerOwner: 0 } };
      const error = await assertRejects(() => create(options), RangeError);
      assert(error.message.includes("limits.maxTasksPerOwner is 0"));
      assertEquals((error as { suppressed?: unknown }).suppressed, reason);
    });
  }
});

const { close } = MemoryBackend.prototype;

/** Calls the body while every backend in memory closes in another way. */
async function withClose(
  closing: () => Promise<void>,
  body: () => Promise<void>,
): Promise<void> {
  MemoryBackend.prototype.close = closing;
  try {
    await body();
  } finally {
    MemoryBackend.prototype.close = close;
  }
}
