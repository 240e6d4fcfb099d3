/**
 * What a `TaskStore` leaves in Redis: expiry on every key at once, and the
 * very record of pmcp-tasks.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  makeKey,
  TaskNotFoundError,
  type TaskRecord,
  TaskStore,
} from "../../mod.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { waitUntil } from "../support/wait.ts";
import type { JsonObject } from "./suite/env.ts";

const RFC3339_MS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

redisTest("task_touch_moves_the_expiry_on_every_key", async (redis) => {
  const store = new TaskStore(await redis.connect());
  let record = await store.create("alice", "tools/call", { ttlMs: 60_000 });
  await assertExpiry(redis, record, record);
  record = await store.touch(record, "alice", { ttlMs: 7_200_000 });
  await assertExpiry(redis, record, record);
  record = await store.touch(record, "alice", { ttlMs: 30_000 });
  await assertExpiry(redis, record, record);
  // The indexes live as long as the longest-lived task.
  const other = await store.create("alice", "tools/call", { ttlMs: 45_000 });
  await assertExpiry(redis, record, other);
  record = await store.touch(record, "alice", { ttlMs: 90_000 });
  await assertExpiry(redis, record, record);
  await assertExpiry(redis, other, record);
});

redisTest("task_retention_moves_the_expiry_on_every_key", async (redis) => {
  let now = Date.now() - 20_000;
  const store = new TaskStore(await redis.connect(), {
    retention: "completion",
    clock: () => now,
  });
  const first = await store.create("alice", "tools/call", { ttlMs: 60_000 });
  const second = await store.create("alice", "tools/call", { ttlMs: 60_000 });
  await assertExpiry(redis, first, first);
  now += 20_000;
  const done = await store.completeWithResult(first, "alice", "result");
  assertEquals(
    Date.parse(done.expiresAt!) - Date.parse(first.expiresAt!),
    20_000,
  );
  await assertExpiry(redis, done, done);
  await store.lease(second, "alice", { forMs: 500, holder: "w" });
  now += 10_000;
  await waitUntil("the worker lost", async () => {
    const { task } = await store.get(second.task.taskId, "alice");
    return task.status === "failed";
  });
  const lost = await store.get(second.task.taskId, "alice");
  await assertExpiry(redis, lost, lost);
});

redisTest(
  "task_written_by_others_meanwhile_keeps_its_expiry",
  async (redis) => {
    const store = new TaskStore(await redis.connect());
    let record = await store.create("alice", "tools/call", { ttlMs: 60_000 });
    const [touched] = await Promise.all([
      store.touch(record, "alice", { ttlMs: 120_000 }),
      store.setVariables(record, "alice", { n: 1 }),
      store.updateStatus(record, "alice", "input_required"),
    ]);
    record = await store.get(record.task.taskId, "alice");
    assertEquals(record.expiresAt, touched.expiresAt);
    await assertExpiry(redis, record, record);
  },
);

redisTest("task_sealed_is_unreadable_but_for_its_index", async (redis) => {
  const store = new TaskStore(await redis.connect(), {
    encryption: { keys: [crypto.getRandomValues(new Uint8Array(32))] },
  });
  const { task } = await store.create("alice", "tools/call", {
    variables: { "social security": "078-05-1120" },
    statusMessage: "looking up 078-05-1120",
  });
  const done = await store.completeWithResult(
    task.taskId,
    "alice",
    { found: "078-05-1120" },
    "found 078-05-1120",
  );
  const key = redis.record("alice", task.taskId);
  // All there is of it, whatever the field.
  const raw = JSON.stringify(await redis.raw.hGetAll(key));
  assert(!raw.includes("078-05-1120") && !raw.includes("social security"), raw);
  assert(raw.includes(task.createdAt) && raw.includes(done.expiresAt!), raw);
  await assertExpiry(redis, done, done);
});

redisTest("task_record_under_pmcp_is_that_of_pmcp_tasks", async (redis) => {
  const backend = await redis.connect({ schema: "pmcp" });
  const store = new TaskStore(backend, { limits: { maxTtlMs: Infinity } });
  const { task } = await store.create("urn:bob", "tools/call", {
    ttlMs: 60_000,
  });
  const { taskId } = task;
  const key = `${redis.prefix}:tasks:urn%3Abob:${taskId}`;
  const read = async (): Promise<JsonObject> =>
    JSON.parse(await redis.raw.hGet(key, "data") ?? "");

  let json = await read();
  assertShape(json, {
    task: {
      taskId: "string",
      status: "string",
      createdAt: RFC3339_MS,
      lastUpdatedAt: RFC3339_MS,
      ttl: "integer",
      pollInterval: "integer",
    },
    ownerId: "string",
    variables: {},
    result: "null",
    requestMethod: "string",
    expiresAt: RFC3339_MS,
    // Ours alone; the crate leaves what it does not know.
    runId: "string",
  });
  assertEquals(
    [json.task.taskId, json.task.status, json.task.ttl, json.ownerId],
    [taskId, "working", 60_000, "urn:bob"],
  );

  await store.setVariables(taskId, "urn:bob", { n: 1 });
  await store.lease(taskId, "urn:bob", { forMs: 60_000, holder: "w" });
  await store.completeWithResult(taskId, "urn:bob", { content: [] }, "done");
  json = await read();
  assertShape(json, {
    task: {
      taskId: "string",
      status: "string",
      statusMessage: "string",
      createdAt: RFC3339_MS,
      lastUpdatedAt: RFC3339_MS,
      ttl: "integer",
      pollInterval: "integer",
    },
    ownerId: "string",
    variables: { n: "integer" },
    result: { content: "array" },
    requestMethod: "string",
    expiresAt: RFC3339_MS,
    // Ours alone; the crate leaves what it does not know.
    runId: "string",
  });
  assertEquals(json.task.status, "completed");

  // Without an end both are null, not left out.
  const endless = await store.create("urn:bob", "tools/call", { ttlMs: null });
  const { data } = await backend.get(makeKey("urn:bob", endless.task.taskId));
  const { task: { ttl }, expiresAt } = JSON.parse(data);
  assertEquals([ttl, expiresAt], [null, null]);

  await store.delete(taskId, "urn:bob");
  await store.delete(endless.task.taskId, "urn:bob");
  assertEquals(await redis.keysBut("gone"), []);
});

redisTest("task_record_of_pmcp_tasks_is_read_under_pmcp", async (redis) => {
  const store = new TaskStore(await redis.connect({ schema: "pmcp" }));
  const soon = Date.now() + 60_000;
  const nanos = (ms: number) =>
    `${new Date(ms).toISOString().slice(0, -1)}456789Z`;
  const records = [
    { ttl: 60_000, expiresAt: nanos(soon) },
    { ttl: null, expiresAt: null },
  ];
  // As the Rust crate writes it: a hash and one index, scored by creation.
  for (const [n, { ttl, expiresAt }] of records.entries()) {
    const createdMs = Date.now() - 1000 + n;
    const createdAt = new Date(createdMs).toISOString();
    const key = `${redis.prefix}:tasks:alice:t-${n}`;
    await redis.raw.hSet(key, {
      version: "3",
      data: JSON.stringify({
        task: {
          taskId: `t-${n}`,
          status: "working",
          createdAt,
          lastUpdatedAt: createdAt,
          ttl,
        },
        ownerId: "alice",
        variables: { progress: 42 },
        result: null,
        requestMethod: "tools/call",
        expiresAt,
      }),
    });
    if (expiresAt !== null) {
      const seconds = Math.ceil(soon / 1000);
      await redis.raw.hSet(key, { expires_at: `${seconds}` });
      await redis.raw.expireAt(key, seconds);
    }
    await redis.raw.zAdd(`${redis.prefix}:idx:alice`, {
      value: `t-${n}`,
      score: createdMs,
    });
  }
  const { tasks } = await store.list("alice");
  assertEquals(tasks.map(({ task }) => task.taskId), ["t-1", "t-0"]);
  for (const n of [0, 1]) {
    const record = await store.get(`t-${n}`, "alice");
    assertEquals(
      [record.version, record.variables, record.result, record.expiresAt],
      [3, { progress: 42 }, null, records[n]!.expiresAt],
    );
    assertEquals(record.task.ttl, records[n]!.ttl);
    const done = await store.completeWithResult(`t-${n}`, "alice", n);
    assertEquals(done.version, 4);
    assertEquals(await store.getResult(`t-${n}`, "alice"), n);
  }
  // The end stays where it was, to the millisecond it can be held to.
  assertEquals(
    await redis.raw.pExpireTime(`${redis.prefix}:tasks:alice:t-0`),
    soon,
  );
  assertEquals(
    await redis.raw.pTTL(`${redis.prefix}:tasks:alice:t-1`),
    -1,
  );
  await assertRejects(() => store.get("t-0", "bob"), TaskNotFoundError);
  for (const n of [0, 1]) await store.delete(`t-${n}`, "alice");
  assertEquals(await redis.keysBut("gone"), []);
});

/** The task's end on its hash, and the longest-lived one's on the indexes. */
async function assertExpiry(
  redis: RedisFixture,
  { task, expiresAt }: TaskRecord,
  longest: TaskRecord,
): Promise<void> {
  const endMs = Date.parse(expiresAt!);
  const lastMs = Date.parse(longest.expiresAt!);
  const hash = redis.record("alice", task.taskId);
  assertEquals(
    {
      hash: await redis.raw.pExpireTime(hash),
      expires_at: await redis.raw.hGet(hash, "expires_at"),
      score: await redis.raw.zScore(redis.expiries("alice"), task.taskId),
      created: await redis.raw.pExpireTime(redis.created("alice")),
      expiries: await redis.raw.pExpireTime(redis.expiries("alice")),
    },
    {
      hash: endMs,
      expires_at: `${Math.ceil(endMs / 1000)}`,
      score: endMs,
      // At most a minute longer.
      created: Math.ceil(lastMs / 60_000) * 60_000,
      expiries: Math.ceil(lastMs / 60_000) * 60_000,
    },
  );
}

type Shape = string | RegExp | { readonly [name: string]: Shape };

/** Exactly these fields, each of its type. */
function assertShape(value: unknown, shape: Shape, path = "record"): void {
  if (typeof shape === "string") {
    assertEquals(typeOf(value), shape, path);
  } else if (shape instanceof RegExp) {
    assert(shape.test(String(value)), `${path} is ${value}`);
  } else {
    const object = value as JsonObject;
    assertEquals(Object.keys(object).sort(), Object.keys(shape).sort(), path);
    for (const [name, inner] of Object.entries(shape)) {
      assertShape(object[name], inner, `${path}.${name}`);
    }
  }
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}
