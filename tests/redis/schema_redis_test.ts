/**
 * Prefixes, the two key schemas, and the scripts as they are exported.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CapacityExceededError,
  type KeySchemaName,
  makeKey,
  makePrefix,
  NotFoundError,
  RedisBackend,
  VersionConflictError,
} from "../../mod.ts";
import { LUA_SCRIPTS } from "../../scripts/lib/lua_scripts.ts";
import { HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";
import { redisTest } from "../support/redis_fixture.ts";

redisTest("prefix_is_mcp_by_default", async (redis) => {
  const backend = new RedisBackend(redis.raw);
  const owner = crypto.randomUUID();
  await backend.put(makeKey(owner, "t-1"), "x", HOUR);
  assertEquals(await redis.raw.exists(`mcp:tasks:{${owner}}:t-1`), 1);
  await backend.delete(makeKey(owner, "t-1"));
  assertEquals(await redis.raw.exists(`mcp:idx:{${owner}}`), 0);
});

redisTest("prefixes_never_meet", async (redis) => {
  const backend = await redis.connect();
  const other = backend.withPrefix(`${redis.prefix}:other`);
  assertEquals(other.prefix, `${redis.prefix}:other`);
  await backend.put(KEY, "one", HOUR);
  await assertRejects(() => other.get(KEY), NotFoundError);
  assertEquals(await other.listByPrefix(PREFIX), []);
  const options = { meta: HOUR, maxRecords: 1 };
  assertEquals(await other.create(KEY, "two", options), 1);
  assertEquals((await backend.get(KEY)).data, "one");
  assertEquals(await other.delete(KEY), true);
  assertEquals((await backend.get(KEY)).data, "one");
});

redisTest("prefixes_and_schemas_are_checked", (redis) => {
  for (const prefix of ["", "a{b", "a}", "\ud800"]) {
    assertThrows(() => new RedisBackend(redis.raw, { prefix }), RangeError);
  }
  const backend = new RedisBackend(redis.raw, { prefix: redis.prefix });
  for (const unset of [undefined, null, 7] as unknown as string[]) {
    // No default of another tenant in place of an unset variable.
    assertThrows(() => backend.withPrefix(unset), TypeError, "prefix is");
  }
  for (const prefix of ["", "a{b"]) {
    assertThrows(() => backend.withPrefix(prefix), RangeError);
  }
  const schema = "other" as KeySchemaName;
  assertThrows(() => new RedisBackend(redis.raw, { schema }), RangeError);
  for (const value of [0, -1, 1.5, NaN]) {
    for (
      const options of [
        { maxRecordBytes: value },
        { watchRefreshMs: value },
        { retry: { timeoutMs: value } },
        { durability: { replicas: value, timeoutMs: 1 } },
        { durability: { replicas: 1, timeoutMs: value } },
      ]
    ) {
      assertThrows(() => new RedisBackend(redis.raw, options), RangeError);
    }
  }
  // Longer, and the storage might not remember the name of a write.
  assertThrows(
    () =>
      new RedisBackend(redis.raw, {
        retry: { timeoutMs: 20_001 },
        durability: { replicas: 1, timeoutMs: 5000 },
      }),
    RangeError,
    "are 30001: expected at most 30000 together",
  );
  return Promise.resolve();
});

redisTest("schema_pmcp_is_the_layout_of_the_rust_crate", async (redis) => {
  const backend = await redis.connect({ schema: "pmcp" });
  const expiresAt = Date.now() + 3_600_000;
  const createdAt = 1_700_000_000_000;
  const key = makeKey("urn:bob", "t-1");
  await backend.create(key, "x", { meta: { expiresAt, createdAt } });
  const record = `${redis.prefix}:tasks:urn%3Abob:t-1`;
  const created = `${redis.prefix}:idx:urn%3Abob`;
  const expiries = `${redis.prefix}:exp:urn%3Abob`;
  assertEquals(await redis.keys(), [expiries, created, record]);
  const { ops, ...others } = await redis.raw.hGetAll(record);
  assert(ops, "no trace");
  assertEquals(others, {
    version: "1",
    data: "x",
    expires_at: `${Math.ceil(expiresAt / 1000)}`,
  });
  assertEquals(await redis.raw.pExpireTime(record), expiresAt);
  // The other writer does not prolong an index: it must not have an expiry.
  assertEquals(await redis.raw.pTTL(created), -1);
  assertEquals(await redis.raw.pTTL(expiries), -1);
  // A task of the other writer, which knows no `exp`.
  const theirs = `${redis.prefix}:tasks:urn%3Abob:t-2`;
  await redis.raw.hSet(theirs, { version: "7", data: "y" });
  await redis.raw.zAdd(created, { value: "t-2", score: createdAt + 1 });
  const prefix = makePrefix("urn:bob");
  const records = [
    { key, ...await backend.get(key) },
    // It keeps no ids: any write of that version will do.
    { key: makeKey("urn:bob", "t-2"), data: "y", version: 7, etag: "" },
  ];
  assertEquals(await backend.listByPrefix(prefix), records);
  assertEquals(await backend.listPage(prefix), {
    records: records.toReversed(),
  });
  const second = makeKey("urn:bob", "t-2");
  assertEquals(await backend.putIfVersion(second, "z", 7, HOUR), 8);
  assertEquals(await backend.delete(second), true);
  assertEquals(await backend.delete(key), true);
  assertEquals(await redis.keysBut("gone"), []);
});

redisTest(
  "schema_pmcp_forgets_what_the_other_writers_ttl_ended",
  async (redis) => {
    const backend = await redis.connect({ schema: "pmcp" });
    const created = `${redis.prefix}:idx:alice`;
    await redis.raw.zAdd(created, { value: "t-1", score: 1 });
    await backend.put(makeKey("alice", "t-2"), "x");
    const listed = await backend.listByPrefix(PREFIX);
    assertEquals(listed.map(({ key }) => key), ["alice:t-2"]);
    assertEquals(await redis.raw.zRange(created, 0, -1), ["t-2"]);
    await backend.delete(makeKey("alice", "t-2"));
  },
);

redisTest("schema_pmcp_counts_what_the_other_writer_wrote", async (redis) => {
  const backend = await redis.connect({ schema: "pmcp" });
  const created = `${redis.prefix}:idx:alice`;
  const now = Math.floor(Date.now() / 1000);
  // As the crate writes: a hash and one index, of an expiry only the field.
  const crate = async (n: number, expiresAt?: number) => {
    const [, task = ""] = nthKey(n).split(":");
    const hash: Record<string, string> = { version: "3", data: `${n}` };
    if (expiresAt !== undefined) hash.expires_at = `${expiresAt}`;
    await redis.raw.hSet(`${redis.prefix}:tasks:${nthKey(n)}`, hash);
    await redis.raw.zAdd(created, { value: task, score: n });
  };
  await crate(1);
  await crate(2, now + 3600);
  await crate(3, now - 1);
  // One whose hash the server has expired, and its entry stayed.
  await redis.raw.zAdd(created, { value: "t-0004", score: 4 });

  assertEquals(await backend.get(nthKey(2)), {
    data: "2",
    version: 3,
    etag: "",
  });
  await assertRejects(() => backend.get(nthKey(3)), NotFoundError);
  const create = (n: number, maxRecords: number) =>
    backend.create(nthKey(n), "ours", {
      meta: { ...HOUR, createdAt: n },
      maxRecords,
    });
  const full = await assertRejects(
    () => create(5, 2),
    CapacityExceededError,
  );
  assertEquals([full.limit, full.actual], [2, 2]);
  assertEquals(await create(5, 3), 1);
  await assertRejects(() => create(6, 3), CapacityExceededError);
  const listed = await backend.listByPrefix(PREFIX);
  assertEquals(
    listed.map(({ key, version }) => [key, version]),
    [[nthKey(1), 3], [nthKey(2), 3], [nthKey(5), 1]],
  );
  // What the other writer overwrites is its own: our etag is no longer there.
  const { etag } = await backend.get(nthKey(5));
  await redis.raw.hSet(`${redis.prefix}:tasks:${nthKey(5)}`, {
    version: "2",
    data: "theirs",
  });
  assertEquals((await backend.get(nthKey(5))).etag, "");
  await assertRejects(
    () => backend.putIfVersion(nthKey(5), "x", { version: 2, etag }, HOUR),
    VersionConflictError,
  );
  assertEquals(await backend.putIfVersion(nthKey(5), "x", 2, HOUR), 3);
  for (const n of [1, 2, 5]) await backend.delete(nthKey(n));
  assertEquals(await redis.keysBut("gone"), []);
});

redisTest("scripts_compile_and_say_what_they_take", async (redis) => {
  const names = [...LUA_SCRIPTS.values()].map(({ name }) => name);
  assertEquals(new Set(names).size, LUA_SCRIPTS.size);
  for (const { name, source, keys, args, tail } of LUA_SCRIPTS.values()) {
    const sha = await redis.raw.scriptLoad(source);
    assertEquals(sha.length, 40, name);
    assert(source.startsWith(`-- ${name}\n`), name);
    // Every declared name is bound to its place: the lists cannot drift.
    for (const [i, key] of keys.entries()) {
      assert(source.includes(`local ${key} = KEYS[${i + 1}]`));
    }
    if (tail !== undefined) {
      assert(source.includes(`local ${tail}_start = ${keys.length + 1}`));
    }
    for (const [i, arg] of args.entries()) {
      assert(source.includes(`ARGV[${i + 1}]`), arg);
    }
    const touchesKeys = /(KEYS|'[A-Z]+', (?!\))[a-z_]+)/.test(source);
    assert(keys.length > 0 || !touchesKeys, `${name} declares no key`);
  }
});
