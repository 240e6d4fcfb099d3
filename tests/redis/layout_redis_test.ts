/**
 * The bytes in Redis, as DESIGN fixed them: what another program that reads or
 * writes the same keys relies on.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { makeKey } from "../../mod.ts";
import { HOUR, KEY, nthKey, taskJson } from "../support/suite/env.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { waitUntil } from "../support/wait.ts";

redisTest("put_sets_expires_at_hash_field", async (redis) => {
  const backend = await redis.connect();
  const expiresAt = HOUR.expiresAt - HOUR.expiresAt % 1000;
  // Rounded up: the second check must not come before the exact expiry.
  for (const [ms, second] of [[0, 0], [1, 1], [999, 1], [1000, 1]] as const) {
    await backend.put(KEY, "x", { expiresAt: expiresAt + ms });
    const hash = await hashOf(redis, "alice", "t-1");
    assertEquals(hash.expires_at, `${expiresAt / 1000 + second}`);
  }
  await backend.putIfVersion(KEY, "x", 4, { expiresAt: expiresAt + 5001 });
  await backend.create(makeKey("alice", "t-2"), "x", { meta: { expiresAt } });
  await backend.put(makeKey("alice", "t-3"), taskJson({ expiresAt }));
  assertEquals(
    [
      (await hashOf(redis, "alice", "t-1")).expires_at,
      (await hashOf(redis, "alice", "t-2")).expires_at,
      (await hashOf(redis, "alice", "t-3")).expires_at,
    ],
    [expiresAt + 6000, expiresAt, expiresAt].map((ms) => `${ms / 1000}`),
  );
});

redisTest("put_omits_expires_at_when_no_ttl", async (redis) => {
  const backend = await redis.connect();
  await backend.put(KEY, "x");
  const name = redis.record("alice", "t-1");
  assertEquals(await fieldsBut(redis, name, "ops"), {
    version: "1",
    data: "x",
  });
  assertEquals(await redis.raw.pTTL(name), -1);
  // And takes it away again.
  await backend.put(KEY, "y", HOUR);
  await backend.putIfVersion(KEY, "z", 2, { expiresAt: undefined });
  assertEquals(await fieldsBut(redis, name, "ops"), {
    version: "3",
    data: "z",
  });
  assertEquals(await redis.raw.pTTL(name), -1);
  await backend.delete(KEY);
  assertEquals(await redis.keysBut("gone"), []);
});

redisTest("record_is_a_hash_of_exactly_these_fields", async (redis) => {
  const backend = await redis.connect();
  const expiresAt = Date.now() + 3_600_000;
  const data = taskJson({ note: "zażółć 🦕" });
  await backend.put(KEY, data, {
    expiresAt,
    createdAt: 1_700_000_000_123.25,
    operationId: "write-0001",
  });
  assertEquals(await redis.keys(), [
    redis.expiries("alice"),
    redis.created("alice"),
    redis.record("alice", "t-1"),
  ]);
  const ops = await redis.raw.hGet(redis.record("alice", "t-1"), "ops");
  assertEquals(
    await redis.raw.hGetAll(redis.record("alice", "t-1")),
    Object.assign(Object.create(null), {
      version: "1",
      data,
      expires_at: `${Math.ceil(expiresAt / 1000)}`,
      ops,
    }),
  );
  assertMatch(
    ops!,
    new RegExp(
      `^0\\|1700000000123\\.25\\|${expiresAt}\\|1\\.write-0001 ~\\d{10}$`,
    ),
  );
  assertEquals(await redis.raw.type(redis.created("alice")), "zset");
  assertEquals(await scores(redis, redis.created("alice")), [
    { value: "t-1", score: 1_700_000_000_123.25 },
  ]);
  assertEquals(await redis.raw.type(redis.expiries("alice")), "zset");
  assertEquals(await scores(redis, redis.expiries("alice")), [
    { value: "t-1", score: expiresAt },
  ]);
});

redisTest("creation_defaults_to_the_servers_time", async (redis) => {
  const backend = await redis.connect();
  const before = Number((await redis.raw.time())[0]) * 1000;
  await backend.put(KEY, "x", HOUR);
  const score = await redis.raw.zScore(redis.created("alice"), "t-1");
  assert(score !== null && score >= before && score < before + 60_000);
});

redisTest("only_tasks_with_a_ttl_are_in_the_expiry_index", async (redis) => {
  const backend = await redis.connect();
  await backend.put(KEY, "x");
  await backend.put(makeKey("alice", "t-2"), "x", HOUR);
  await backend.put(makeKey("alice", "t-3"), "x", HOUR);
  await backend.put(makeKey("alice", "t-3"), "x");
  const members = await redis.raw.zRange(redis.expiries("alice"), 0, -1);
  assertEquals(members, ["t-2"]);
  assertEquals(await redis.raw.zCard(redis.created("alice")), 3);
  for (const n of [1, 2, 3]) await backend.delete(makeKey("alice", `t-${n}`));
  assertEquals(await redis.keysBut("gone"), []);
});

redisTest("delete_leaves_no_key_but_a_trace_that_ends", async (redis) => {
  const backend = await redis.connect();
  for (const owner of ["alice", "urn:bob", "{c}"]) {
    await backend.put(makeKey(owner, "t-1"), "x", HOUR);
    await backend.create(makeKey(owner, "t-2"), "x");
  }
  for (const owner of ["alice", "urn:bob", "{c}"]) {
    await backend.delete(makeKey(owner, "t-1"));
    await backend.delete(makeKey(owner, "t-2"));
  }
  assertEquals(await redis.keysBut("gone"), []);
  for (const key of await redis.keys()) {
    const leftMs = await redis.raw.pTTL(key);
    assert(leftMs > 0 && leftMs <= 64_000, `${key}: ${leftMs} ms`);
  }
});

redisTest("owners_are_escaped_in_one_hash_tag", async (redis) => {
  const backend = await redis.connect();
  await backend.put(makeKey("a}b:{c%", "t:{1}"), "x", HOUR);
  assertEquals(await redis.keys(), [
    redis.expiries("a%7Db%3A%7Bc%25"),
    redis.created("a%7Db%3A%7Bc%25"),
    redis.record("a%7Db%3A%7Bc%25", "t:{1}"),
  ]);
});

redisTest("events_carry_the_new_version_and_0_on_delete", async (redis) => {
  const backend = await redis.connect();
  const heard: string[] = [];
  const subscriber = await redis.raw.duplicate().connect();
  try {
    const channel = `${redis.prefix}:events:{urn%3Abob}:t-1`;
    await subscriber.sSubscribe(channel, (message) => heard.push(message));
    const key = makeKey("urn:bob", "t-1");
    await backend.create(key, "x", { meta: HOUR });
    await backend.put(key, "x", HOUR);
    await backend.putIfVersion(key, "x", 2, HOUR);
    await assertRejects(() => backend.putIfVersion(key, "x", 2, HOUR));
    await assertRejects(() => backend.create(key, "x", { meta: HOUR }));
    await backend.delete(key);
    await backend.delete(key);
    await backend.put(key, "x", HOUR);
    await waitUntil("all events", () => heard.length >= 5);
  } finally {
    subscriber.destroy();
  }
  assertEquals(heard, ["1", "2", "3", "0", "1"]);
});

async function hashOf(redis: RedisFixture, owner: string, task: string) {
  return await redis.raw.hGetAll(redis.record(owner, task));
}

async function scores(redis: RedisFixture, key: string) {
  const members = await redis.raw.zRangeWithScores(key, 0, -1);
  return members.map(({ value, score }) => ({ value, score }));
}

/** The fields of a hash but one, whose value the library chooses. */
async function fieldsBut(redis: RedisFixture, key: string, name: string) {
  const { [name]: value, ...others } = await redis.raw.hGetAll(key);
  assert(value !== undefined, `no field ${name}`);
  return others;
}

redisTest("set_of_hints_ends_again_after_one_without_end", async (redis) => {
  const backend = await redis.connect();
  await backend.due.offer(nthKey(1), "queue", Date.now());
  await backend.due.withdraw(nthKey(1), "queue");
  const expiresAt = Date.now() + 60_000;
  await backend.due.offer(nthKey(2), "queue", Date.now(), { expiresAt });
  const [due] = (await redis.keys()).filter((key) => key.endsWith(":queue"));
  assert(await redis.raw.pTTL(due!) > 0);
});

redisTest("number_of_sets_of_hints_is_kept_while_it_is_used", async (redis) => {
  const backend = await redis.connect();
  const hint = { expiresAt: Date.now() + 5000 };
  await backend.due.offer(KEY, "queue", Date.now(), hint);
  const name = `${redis.prefix}:due:shards`;
  // All of its time but ten seconds has passed.
  await redis.raw.pExpire(name, 10_000);
  await backend.due.offer(KEY, "queue", Date.now(), hint);
  assert(await redis.raw.pTTL(name) <= 10_000);
  const now = performance.now.bind(performance);
  performance.now = () => now() + 25 * 3_600_000;
  try {
    await backend.due.offer(KEY, "queue", Date.now(), hint);
  } finally {
    performance.now = now;
  }
  assert(await redis.raw.pTTL(name) > 10_000);
});
