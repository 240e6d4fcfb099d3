/**
 * The server's own expiry of every key, and the second check where it
 * fails.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CapacityExceededError,
  makeKey,
  makePrefix,
  NotFoundError,
  type StorageBackend,
  VersionConflictError,
} from "../../mod.ts";
import { allPages, HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { waitUntil } from "../support/wait.ts";

redisTest("record_expires_at_the_exact_millisecond", async (redis) => {
  const backend = await redis.connect();
  const expiresAt = Date.now() + 60_123;
  await backend.put(nthKey(1), "x", { expiresAt });
  await backend.create(nthKey(2), "x", { meta: { expiresAt } });
  await backend.put(nthKey(3), "x", HOUR);
  await backend.putIfVersion(nthKey(3), "x", 1, { expiresAt });
  await backend.put(nthKey(4), "x");
  await backend.put(nthKey(4), "x", { expiresAt });
  for (const n of [1, 2, 3, 4]) {
    const [, task = ""] = nthKey(n).split(":");
    const name = redis.record("alice", task);
    assertEquals(await redis.raw.pExpireTime(name), expiresAt, name);
  }
});

redisTest("indexes_live_as_long_as_their_longest_lived_task", async (redis) => {
  const backend = await redis.connect();
  const start = Date.now();
  const put = (n: number, minutes: number) =>
    backend.put(nthKey(n), "x", { expiresAt: start + minutes * 60_000 });
  const both = async (minutes: number, why: string) => {
    const end = toMinute(start + minutes * 60_000);
    assertEquals(await indexExpiries(redis), [end, end], why);
  };
  await put(1, 10);
  await both(10, "the only task");
  await put(2, 30);
  await both(30, "a later one");
  await put(3, 20);
  await both(30, "an earlier one does not shorten");
  await put(2, 15);
  await both(20, "the longest was shortened");
  await backend.delete(nthKey(3));
  await both(15, "the longest was deleted");
  await put(1, 40);
  await both(40, "prolonged");
  await backend.create(nthKey(4), "x", {
    meta: { expiresAt: start + 50 * 60_000 },
  });
  await both(50, "created");
});

redisTest("indexes_stay_while_a_task_without_ttl_does", async (redis) => {
  const backend = await redis.connect();
  const { expiresAt } = HOUR;
  await backend.put(nthKey(1), "x", HOUR);
  await backend.put(nthKey(2), "x");
  const end = toMinute(expiresAt);
  assertEquals(await indexExpiries(redis), [-1, end]);
  await backend.put(nthKey(3), "x", HOUR);
  assertEquals(await indexExpiries(redis), [-1, end]);
  await backend.put(nthKey(2), "x", HOUR);
  assertEquals(await indexExpiries(redis), [end, end]);
  await backend.put(nthKey(2), "x");
  assertEquals(await indexExpiries(redis), [-1, end]);
  await backend.delete(nthKey(2));
  assertEquals(await indexExpiries(redis), [end, end]);
});

redisTest("a_thousand_owners_leave_no_key", async (redis) => {
  const backend = await redis.connect();
  const owners = Array.from({ length: 1000 }, (_, n) => `owner ${n}`);
  const write = async (expiresAt: number) => {
    await Promise.all(owners.flatMap((owner) => [
      backend.put(makeKey(owner, "t-1"), "x", { expiresAt }),
      backend.put(makeKey(owner, "t-2"), "x", { expiresAt: expiresAt + 1 }),
    ]));
  };
  // Far enough for the slowest machine to write them all twice before it.
  await write(HOUR.expiresAt);
  const keys = await redis.keys();
  assertEquals(keys.length, 4000);
  const soon = Date.now() + 60_000;
  await write(soon);
  const ends = await Promise.all(keys.map((key) => redis.raw.pExpireTime(key)));
  assertEquals(
    keys.filter((_, i) =>
      ends[i] !== soon && ends[i] !== soon + 1 &&
      ends[i] !== toMinute(soon + 1)
    ),
    [],
    "keys that outlive their tasks",
  );
  // The traces of tasks that end so soon are the last keys of all.
  const all = await redis.keys();
  const last = await Promise.all(all.map((key) => redis.raw.pExpireTime(key)));
  assertEquals(
    all.filter((_, i) => last[i]! < 0 || last[i]! > soon + 65_000),
    [],
    "keys that outlive the traces",
  );
});

redisTest("expired_hash_without_a_ttl_is_absent", async (redis) => {
  const backend = await redis.connect();
  const { expiresAt } = HOUR;
  const hash = {
    version: "7",
    data: "old",
    expires_at: `${Math.floor(Date.now() / 1000) - 1}`,
  };
  // The server's expiry out of the way: only ours is left.
  const seedRaw = async (n: number) => {
    const [, task = ""] = nthKey(n).split(":");
    await redis.raw.hSet(redis.record("alice", task), hash);
    await redis.raw.zAdd(redis.created("alice"), { value: task, score: n });
    await redis.raw.zAdd(redis.expiries("alice"), {
      value: task,
      score: expiresAt,
    });
  };
  for (const n of [1, 2, 3, 4, 5, 6]) await seedRaw(n);
  await assertRejects(() => backend.get(nthKey(1)), NotFoundError);
  assertEquals(await backend.listByPrefix(PREFIX), []);
  assertEquals((await allPages(backend, PREFIX, { limit: 2 })).flat(), []);
  const error = await assertRejects(
    () => backend.putIfVersion(nthKey(2), "new", 7, HOUR),
    VersionConflictError,
  );
  assertEquals(error.actual, 0);
  await assertRejects(async () => {
    for await (const _ of backend.watch(nthKey(2))) break;
  }, NotFoundError);
  const lease = { holder: "worker-1", forMs: 60_000 };
  await assertRejects(
    () => backend.leases.acquire(nthKey(2), lease),
    NotFoundError,
  );
  assertEquals(await backend.delete(nthKey(3)), false);
  assertEquals(await backend.put(nthKey(4), "new", HOUR), 1);
  assertEquals(await backend.create(nthKey(5), "new", { meta: HOUR }), 1);
  assertEquals(await backend.put(nthKey(6), "new"), 1);
  // Nothing of the old hash stays in the new one.
  const hash6 = await redis.raw.hGetAll(redis.record("alice", "t-0006"));
  const { ops, ...others } = hash6;
  assert(ops?.includes("|1."), ops);
  assertEquals(others, { version: "1", data: "new" });
  await backend.delete(nthKey(6));
  // The lists have dropped the others, with their entries.
  for (const n of [1, 2]) {
    const [, task = ""] = nthKey(n).split(":");
    assertEquals(await redis.raw.exists(redis.record("alice", task)), 0);
  }
  assertEquals(await redis.raw.zRange(redis.created("alice"), 0, -1), [
    "t-0004",
    "t-0005",
  ]);
});

redisTest(
  "record_lives_until_the_second_in_expires_at_has_passed",
  async (redis) => {
    const backend = await redis.connect();
    const second = await serverSecond(redis) + 2;
    await redis.raw.hSet(redis.record("alice", "t-1"), {
      version: "1",
      data: "x",
      expires_at: `${second}`,
    });
    await waitUntil("absent", async () => {
      // The server's own clock, before and after: no call is too slow for that.
      const before = await serverSecond(redis);
      try {
        await backend.get(KEY);
        assert(before < second, "lives too long");
        return false;
      } catch (error) {
        assert(error instanceof NotFoundError);
        assert(await serverSecond(redis) >= second, "gone too soon");
        return true;
      }
    });
    await redis.raw.del(redis.record("alice", "t-1"));
  },
);

redisTest("expired_members_leave_the_indexes_on_create", async (redis) => {
  const backend = await redis.connect();
  await crowd(redis, backend, 100);
  await backend.create(nthKey(900), "x", { meta: HOUR });
  assertEquals(await sizes(redis), [2, 2]);
});

redisTest("expired_members_leave_the_indexes_on_either_list", async (redis) => {
  const backend = await redis.connect();
  for (
    const list of [
      () => backend.listByPrefix(PREFIX),
      () => backend.listPage(PREFIX),
    ]
  ) {
    await crowd(redis, backend, 100);
    await list();
    assertEquals(await sizes(redis), [1, 1]);
  }
});

redisTest("cleaning_is_bounded_and_counts_stay_exact", async (redis) => {
  const backend = await redis.connect();
  const crowded = 20_000;
  await crowd(redis, backend, crowded);
  const full = await assertRejects(
    () => backend.create(nthKey(9001), "x", { meta: HOUR, maxRecords: 1 }),
    CapacityExceededError,
  );
  assertEquals(full.actual, 1);
  const options = { meta: HOUR, maxRecords: 2 };
  assertEquals(await backend.create(nthKey(9001), "x", options), 1);
  const [left = 0] = await sizes(redis);
  assert(crowded - left <= 1000, `one call cleaned ${crowded - left}`);
  assert(left < crowded, "cleaned nothing");
  const listed = await backend.listByPrefix(PREFIX);
  assertEquals(listed.map(({ key }) => key), [nthKey(9000), nthKey(9001)]);
  for (const order of ["newest", "oldest"] as const) {
    const pages = await allPages(backend, PREFIX, { limit: 1, order });
    assertEquals(pages.flat().length, 2);
    for (const page of pages) assert(page.length > 0, "an empty page");
  }
  await waitUntil("all cleaned", async () => {
    await backend.listPage(PREFIX);
    return (await sizes(redis)).every((size) => size === 2);
  });
});

redisTest("owner_who_never_lists_leaks_nothing", async (redis) => {
  const backend = await redis.connect();
  // Keeps the indexes alive: they do not go away by themselves.
  await backend.create(KEY, "x", { meta: HOUR });
  for (let day = 0; day < 20; day++) {
    const expiresAt = Date.now() + 40;
    for (let n = 0; n < 50; n++) {
      const key = makeKey("alice", `day ${day}, task ${n}`);
      await backend.create(key, "x", { meta: { expiresAt }, maxRecords: 100 });
    }
    await waitUntil("the day is over", () => Date.now() > expiresAt + 1);
  }
  await backend.create(nthKey(2), "x", { meta: HOUR, maxRecords: 2 });
  assertEquals(await sizes(redis), [2, 2]);
});

redisTest("owner_that_only_puts_keeps_short_indexes", async (redis) => {
  const backend = await redis.connect();
  await backend.put(KEY, "x", HOUR);
  let largest = 0;
  for (const isTimed of [false, true]) {
    for (let round = 0; round < 15; round++) {
      const expiresAt = Date.now() + 40;
      const createdAt = isTimed ? { createdAt: Date.now() } : {};
      await Promise.all(Array.from({ length: 20 }, async (_, n) => {
        const key = makeKey("alice", `${isTimed} ${round}, ${n}`);
        await backend.put(key, "x", { expiresAt, ...createdAt });
      }));
      await waitUntil("all expired", () => Date.now() > expiresAt + 1);
      const [created = 0, expiries = 0] = await sizes(redis);
      largest = Math.max(largest, created, expiries);
    }
  }
  // One creation in eight cleans: to miss 150 in a row is one in 10^8.
  assert(largest <= 170, `${largest} members of 600 that expired`);
});

redisTest("entry_of_an_evicted_record_goes_on_the_next_list", async (redis) => {
  const backend = await redis.connect();
  for (const n of [1, 2, 3]) await backend.put(nthKey(n), "x", HOUR);
  await redis.raw.del(redis.record("alice", "t-0002"));
  const listed = await backend.listByPrefix(PREFIX);
  assertEquals(listed.map(({ key }) => key), [nthKey(1), nthKey(3)]);
  assertEquals(await sizes(redis), [2, 2]);
  await redis.raw.del(redis.record("alice", "t-0003"));
  assertEquals((await backend.listPage(PREFIX)).records.length, 1);
  assertEquals(await sizes(redis), [1, 1]);
});

/** One live record, and index entries of this many whose records are gone. */
async function crowd(
  redis: RedisFixture,
  backend: StorageBackend,
  count: number,
): Promise<void> {
  await backend.put(nthKey(9000), "x", HOUR);
  const members = Array.from(
    { length: count },
    (_, n) => ({ value: `gone ${n}`, score: 1_600_000_000_000 + n }),
  );
  await redis.raw.zAdd(redis.created("alice"), members);
  await redis.raw.zAdd(redis.expiries("alice"), members);
  assertEquals(await sizes(redis), [count + 1, count + 1]);
}

/** Returns the server's time in whole seconds since the epoch. */
async function serverSecond(redis: RedisFixture): Promise<number> {
  return Number((await redis.raw.time())[0]);
}

/** How many members the two indexes have. */
async function sizes(redis: RedisFixture): Promise<number[]> {
  return [
    await redis.raw.zCard(redis.created("alice")),
    await redis.raw.zCard(redis.expiries("alice")),
  ];
}

/** The end of the minute of a time: an index lives that much longer. */
function toMinute(ms: number): number {
  return Math.ceil(ms / 60_000) * 60_000;
}

/** When the two indexes expire. */
async function indexExpiries(redis: RedisFixture): Promise<number[]> {
  assertEquals(makePrefix("alice"), PREFIX);
  return [
    await redis.raw.pExpireTime(redis.created("alice")),
    await redis.raw.pExpireTime(redis.expiries("alice")),
  ];
}

redisTest(
  "record_that_has_passed_is_absent_to_its_leases_and_steps",
  async (redis) => {
    const backend = await redis.connect();
    const lease = { holder: "worker-1", forMs: 60_000 };
    const { fence } = await backend.leases.create(KEY, "x", lease, {
      meta: HOUR,
    });
    // As if the server had not removed it in time.
    await redis.raw.hSet(redis.record("alice", "t-1"), "expires_at", "1000");
    for (
      const use of [
        () => backend.leases.acquire(KEY, lease),
        () => backend.leases.renew(KEY, fence, 1000),
        () => backend.leases.release(KEY, fence),
        () => backend.steps.record(KEY, fence, "step", "x"),
        () => backend.steps.open(KEY, fence),
      ]
    ) await assertRejects(use, NotFoundError, undefined, `${use}`);
  },
);
