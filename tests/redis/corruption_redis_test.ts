/**
 * Records as no script of ours writes them: huge versions, missing fields,
 * keys of another type. A clear error, and nothing made worse.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  InvalidDataError,
  makeKey,
  NotFoundError,
  type StorageBackend,
  TaskStore,
  VersionConflictError,
} from "../../mod.ts";
import { HeldUp } from "../support/held_up.ts";
import { HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";
import { redisTest } from "../support/redis_fixture.ts";

redisTest("versions_are_exact_beyond_1e14", async (redis) => {
  const backend = await redis.connect();
  // Lua would print 1e+14, and from 2^53 on lose the last digit.
  for (const version of [99_999_999_999_999, 1e14, 1e15 - 1, 2 ** 53 - 3]) {
    await backend.put(KEY, "x", HOUR);
    await redis.raw.hSet(redis.record("alice", "t-1"), "version", `${version}`);
    // Its latest write is not in the trace: any of that version will do.
    assertEquals(await backend.get(KEY), { data: "x", version, etag: "" });
    assertEquals(await backend.put(KEY, "y", HOUR), version + 1);
    const low = await assertRejects(
      () => backend.putIfVersion(KEY, "lost", version, HOUR),
      VersionConflictError,
    );
    assertEquals([low.expected, low.actual], [version, version + 1]);
    assertEquals(
      await backend.putIfVersion(KEY, "z", version + 1, HOUR),
      version + 2,
    );
    const exists = await assertRejects(
      () => backend.create(KEY, "lost", { meta: HOUR }),
      VersionConflictError,
    );
    assertEquals(exists.actual, version + 2);
    const stored = await redis.raw.hGet(
      redis.record("alice", "t-1"),
      "version",
    );
    assertEquals(stored, `${version + 2}`);
    const [listed] = await backend.listByPrefix(PREFIX);
    assertEquals([listed?.data, listed?.version], ["z", version + 2]);
    for await (const record of backend.watch(KEY)) {
      assertEquals(record.version, version + 2);
      break;
    }
  }
});

redisTest("damaged_records_are_refused_and_stay_as_they_are", async (redis) => {
  const backend = await redis.connect();
  const damaged: Record<string, string>[] = [
    { data: "no version" },
    { version: "1" },
    { expires_at: "9999999999" },
    ...[
      "",
      "0",
      "-1",
      "1.5",
      "01",
      "1e3",
      " 1",
      "x",
      "9007199254740993",
      "9".repeat(30),
    ]
      .map((version) => ({ version, data: "x" })),
    { version: "1", data: "x", expires_at: "soon" },
    { version: "1", data: "x", expires_at: "-1" },
    { version: "1", data: "x", expires_at: "" },
  ];
  for (const hash of damaged) {
    const name = redis.record("alice", "t-1");
    await backend.put(KEY, "x", HOUR);
    await redis.raw.del(name);
    await redis.raw.hSet(name, hash);
    await refused(backend, JSON.stringify(hash));
    assertEquals({ ...await redis.raw.hGetAll(name) }, hash);
    assertEquals(await redis.raw.pTTL(name), -1);
    // What cannot be read can still be deleted.
    assertEquals(await backend.delete(KEY), true);
    assertEquals(await redis.keysBut("gone"), []);
  }
});

redisTest("hash_that_is_no_record_is_absent_and_not_written", async (redis) => {
  const backend = await redis.connect();
  const name = redis.record("alice", "t-1");
  await redis.raw.hSet(name, { other: "field" });
  await assertRejects(() => backend.get(KEY), NotFoundError);
  for (
    const write of [
      () => backend.put(KEY, "new", HOUR),
      () => backend.putIfVersion(KEY, "new", 1, HOUR),
      () => backend.create(KEY, "new", { meta: HOUR }),
    ]
  ) {
    const error = await assertRejects(write, InvalidDataError);
    assertEquals(error.key, KEY);
  }
  assertEquals({ ...await redis.raw.hGetAll(name) }, { other: "field" });
  assertEquals(await backend.delete(KEY), true);
  assertEquals(await redis.keysBut("gone"), []);
});

redisTest(
  "key_of_another_type_is_refused_and_stays_as_it_is",
  async (redis) => {
    const backend = await redis.connect();
    const name = redis.record("alice", "t-1");
    for (const type of ["string", "list"]) {
      await backend.put(KEY, "x", HOUR);
      await redis.raw.del(name);
      if (type === "string") await redis.raw.set(name, "{}", { EX: 60 });
      else await redis.raw.rPush(name, "x");
      await refused(backend, type);
      await assertRejects(() => backend.delete(KEY), InvalidDataError);
      assertEquals(await redis.raw.type(name), type);
      await redis.raw.del(name);
      await backend.delete(KEY);
    }
  },
);

redisTest(
  "index_of_another_type_leaves_no_half_written_record",
  async (redis) => {
    const backend = await redis.connect();
    for (const index of [redis.created("alice"), redis.expiries("alice")]) {
      await redis.raw.set(index, "not a sorted set", { EX: 60 });
      for (
        const write of [
          () => backend.put(KEY, "x", HOUR),
          () => backend.put(KEY, "x", { expiresAt: 1 }),
          () => backend.create(KEY, "x", { meta: HOUR }),
          () => backend.create(KEY, "x", { meta: HOUR, maxRecords: 5 }),
          () => backend.listByPrefix(PREFIX),
          () => backend.listPage(PREFIX),
        ]
      ) {
        await assertRejects(write, InvalidDataError);
        assertEquals(await redis.keys(), [index]);
      }
      await redis.raw.del(index);
    }
  },
);

redisTest(
  "index_of_another_type_leaves_a_stored_record_as_it_is",
  async (redis) => {
    const backend = await redis.connect();
    for (const index of ["created", "expiries"] as const) {
      await backend.put(KEY, "stands", HOUR);
      const name = redis[index]("alice");
      await redis.raw.del(name);
      await redis.raw.set(name, "not a sorted set", { EX: 60 });
      const before = await redis.raw.hGetAll(redis.record("alice", "t-1"));
      for (
        const write of [
          () => backend.put(KEY, "x"),
          () => backend.put(KEY, "x", { expiresAt: 1 }),
          () => backend.putIfVersion(KEY, "x", 1, HOUR),
          () => backend.delete(KEY),
        ]
      ) {
        await assertRejects(write, InvalidDataError);
        const after = await redis.raw.hGetAll(redis.record("alice", "t-1"));
        assertEquals(after, before);
      }
      await redis.raw.del(name);
      await backend.delete(KEY);
    }
  },
);

redisTest("damaged_record_is_named_by_the_lists", async (redis) => {
  const backend = await redis.connect();
  await backend.put(KEY, "sound", HOUR);
  const key = makeKey("alice", "t-2");
  await backend.put(key, "x", HOUR);
  await redis.raw.hDel(redis.record("alice", "t-2"), "version");
  for (
    const list of [
      () => backend.listByPrefix(PREFIX),
      () => backend.listPage(PREFIX),
    ]
  ) {
    const error = await assertRejects(list, InvalidDataError);
    assertEquals(error.key, key);
  }
  await backend.delete(key);
  assertEquals((await backend.listByPrefix(PREFIX)).length, 1);
});

redisTest("page_names_its_damaged_records_and_goes_on", async (redis) => {
  const backend = await redis.connect();
  const keys = Array.from({ length: 6 }, (_, n) => makeKey("alice", `t-${n}`));
  for (const [n, key] of keys.entries()) {
    await backend.put(key, "sound", { ...HOUR, createdAt: Date.now() + n });
  }
  await redis.raw.hDel(redis.record("alice", "t-1"), "version");
  await redis.raw.del(redis.record("alice", "t-4"));
  await redis.raw.set(redis.record("alice", "t-4"), "no hash", { EX: 60 });
  for (const limit of [10, 3, 1]) {
    const seen: string[] = [];
    const damaged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await backend.listPage(PREFIX, {
        limit,
        cursor,
        order: "oldest",
        nameDamaged: true,
      });
      seen.push(...page.records.map(({ key }) => key));
      for (const { key, error } of page.damaged ?? []) {
        assertEquals(error.key, key);
        damaged.push(key);
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    const [lost, sound] = [[1, 4], [0, 2, 3, 5]]
      .map((some) => some.map((n) => keys[n]));
    assertEquals([seen, damaged], [sound, lost], `pages of ${limit}`);
  }
  // A task store's list names them too.
  const store = new TaskStore(backend);
  const made = await store.create("alice", "tools/call");
  const { tasks, damaged } = await store.list("alice");
  assertEquals(tasks, [made]);
  assertEquals(
    damaged?.map(({ taskId }) => taskId).sort(),
    ["t-0", "t-1", "t-2", "t-3", "t-4", "t-5"],
  );
});

/** Every operation that would read the record refuses it, by its key. */
async function refused(backend: StorageBackend, what: string): Promise<void> {
  for (
    const call of [
      () => backend.get(KEY),
      () => backend.put(KEY, "new", HOUR),
      () => backend.putIfVersion(KEY, "new", 1, HOUR),
      () => backend.create(KEY, "new", { meta: HOUR }),
      async () => {
        for await (const _ of backend.watch(KEY)) break;
      },
    ]
  ) {
    const error = await assertRejects(call, InvalidDataError, "", what);
    assertEquals(error.key, KEY);
    assert(error.message.includes(KEY));
  }
}

redisTest("damaged_record_is_found_by_the_common_creation", async (redis) => {
  const backend = await redis.connect();
  const meta = { ...HOUR, createdAt: Date.now() };
  // Permissions are checked on the uncommon way.
  await backend.create(nthKey(8), "x", { meta });
  await backend.put(nthKey(9), "x", meta);
  const name = redis.record("alice", "t-1");
  for (const field of ["data", "other"]) {
    await redis.raw.hSet(name, field, "no version");
    await redis.raw.pExpire(name, 60_000);
    const write = [
      () => backend.create(KEY, "new", { meta }),
      () => backend.put(KEY, "new", meta),
    ];
    for (const each of write) await assertRejects(each, InvalidDataError);
    await redis.raw.del(name);
  }
});

redisTest("damaged_record_is_leased_to_no_one", async (redis) => {
  const backend = await redis.connect();
  const name = redis.record("alice", "t-1");
  const lease = { holder: "worker-1", forMs: 60_000 };
  for (
    const damage of [
      () => redis.raw.hSet(name, "expires_at", "soon"),
      () => redis.raw.hSet(name, "version", "0"),
      () => redis.raw.hDel(name, "data"),
      () => redis.raw.hDel(name, "version"),
    ]
  ) {
    await backend.delete(KEY);
    await backend.put(KEY, "x", HOUR);
    await damage();
    const acquire = () => backend.leases.acquire(KEY, lease);
    await assertRejects(acquire, InvalidDataError);
    assertEquals(await redis.raw.hGet(name, "lease"), null);
  }
});

redisTest(
  "deletion_of_a_damaged_record_is_refused_where_a_version_is_expected",
  async (redis) => {
    await using held = new HeldUp(redis);
    const cut = await held.connect();
    const backend = await redis.connect();
    const name = redis.record("alice", "t-1");
    await redis.raw.hSet(name, { data: "no version" });
    await redis.raw.pExpire(name, 60_000);
    const remove = () => backend.delete(KEY, { expected: 1 });
    await assertRejects(remove, InvalidDataError);
    assertEquals(await backend.delete(KEY), true);
    // The end of the record is damaged: its version can be compared.
    for (const data of ["x", "y"]) await backend.put(KEY, data, HOUR);
    await redis.raw.hSet(name, "expires_at", "soon");
    await held.holdUp(() =>
      assertRejects(
        () => cut.delete(KEY, { expected: 1 }),
        VersionConflictError,
      )
    );
  },
);
