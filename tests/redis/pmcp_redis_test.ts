/**
 * One Redis shared with the Rust crate pmcp-tasks: it writes hashes and the
 * index by creation, and keeps no expiry index, no activity and no ids.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CapacityExceededError,
  type CreateOptions,
  makeKey,
  NotFoundError,
  type RedisBackend,
  VersionConflictError,
} from "../../mod.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import {
  allPages,
  HOUR,
  KEY,
  nthKey,
  PREFIX,
  taskJson,
  untilGone,
} from "../support/suite/env.ts";
import { waitUntil } from "../support/wait.ts";

const META = { ...HOUR, createdAt: 1_700_000_000_000 };

/** What the crate does, command by command. */
class Crate {
  readonly #redis: RedisFixture;
  readonly index: string;

  constructor(redis: RedisFixture) {
    this.#redis = redis;
    this.index = `${redis.prefix}:idx:alice`;
  }

  record(task: string): string {
    return `${this.#redis.prefix}:tasks:alice:${task}`;
  }

  /** Writes a record, its place in the index and, with a TTL, its expiry. */
  async write(
    task: string,
    version: number,
    data: string,
    { expiresAt, at = version }: { expiresAt?: number; at?: number } = {},
  ): Promise<void> {
    const { raw } = this.#redis;
    const record = this.record(task);
    await raw.hSet(record, { version: `${version}`, data });
    if (expiresAt !== undefined) {
      const seconds = Math.ceil(expiresAt / 1000);
      await raw.hSet(record, "expires_at", `${seconds}`);
      await raw.pExpireAt(record, expiresAt);
    }
    await raw.zAdd(this.index, { value: task, score: at });
  }

  /** Changes the field alone, as if the server's own expiry had failed. */
  async setExpiresAt(task: string, expiresAt: number): Promise<void> {
    const seconds = `${Math.floor(expiresAt / 1000)}`;
    await this.#redis.raw.hSet(this.record(task), "expires_at", seconds);
  }

  async delete(task: string): Promise<void> {
    await this.#redis.raw.del(this.record(task));
    await this.#redis.raw.zRem(this.index, task);
  }

  tasks(): Promise<string[]> {
    return this.#redis.raw.zRange(this.index, 0, -1);
  }
}

/** Registers a test of a backend beside the crate; nothing of it is left. */
function sharedTest(
  name: string,
  body: (
    backend: RedisBackend,
    crate: Crate,
    redis: RedisFixture,
  ) => Promise<void>,
): void {
  redisTest(`schema_pmcp_${name}`, async (redis) => {
    const backend = await redis.connect({ schema: "pmcp" });
    await body(backend, new Crate(redis), redis);
    // Under this schema indexes have no TTL, nor have all of its records.
    for (const key of await redis.keys()) await redis.raw.del(key);
  });
}

sharedTest("reads_and_lists_what_the_crate_wrote", async (backend, crate) => {
  await backend.create(nthKey(1), "ours", { meta: { ...META, createdAt: 1 } });
  await crate.write("t-0002", 7, "theirs", { at: 2 });
  await crate.write("t-0003", 4, taskJson({ task: "t-0003" }), {
    ...HOUR,
    at: 3,
  });
  const theirs = { data: "theirs", version: 7, etag: "" };
  assertEquals(await backend.get(nthKey(2)), theirs);
  assertEquals((await backend.get(nthKey(3))).version, 4);
  const listed = await backend.listByPrefix(PREFIX);
  assertEquals(listed.map(({ key }) => key), [1, 2, 3].map((n) => nthKey(n)));
  assertEquals(listed[1], { key: nthKey(2), ...theirs });
  const pages = await allPages(backend, PREFIX, { limit: 1, order: "newest" });
  assertEquals(pages, [[nthKey(3)], [nthKey(2)], [nthKey(1)]]);
  for await (const record of backend.watch(nthKey(2))) {
    assertEquals(record, theirs);
    break;
  }
});

sharedTest("swaps_what_the_crate_wrote_by_version", async (backend, crate) => {
  await crate.write("t-1", 7, "theirs", HOUR);
  const conflict = await assertRejects(
    () => backend.putIfVersion(KEY, "ours", 6, META),
    VersionConflictError,
  );
  assertEquals(conflict.actual, 7);
  // As it was read: its etag is empty, and any write of that version will do.
  const read = await backend.get(KEY);
  assertEquals(await backend.putIfVersion(KEY, "ours", read, META), 8);
  const { etag, ...ours } = await backend.get(KEY);
  assertEquals(ours, { data: "ours", version: 8 });
  assert(etag !== "");
  // The crate writes over it: its write has no id, and the old etag is none.
  await crate.write("t-1", 9, "theirs again", HOUR);
  assertEquals((await backend.get(KEY)).etag, "");
  for (const expected of [{ version: 8, etag }, { version: 9, etag }, 8]) {
    await assertRejects(
      () => backend.putIfVersion(KEY, "late", expected, META),
      VersionConflictError,
    );
  }
  assertEquals(await backend.putIfVersion(KEY, "ours", 9, META), 10);
  assertEquals(await backend.delete(KEY), true);
  assertEquals(await crate.tasks(), []);
});

sharedTest("creates_and_leases_beside_the_crate", async (backend, crate) => {
  await crate.write("t-1", 3, "theirs", HOUR);
  const exists = await assertRejects(
    () => backend.create(KEY, "ours", { meta: META }),
    VersionConflictError,
  );
  assertEquals(exists.actual, 3);
  const lease = { holder: "worker-1", forMs: 60_000 };
  const { fence } = await backend.leases.acquire(KEY, lease);
  assertEquals(await backend.putIfVersion(KEY, "x", 3, { ...META, fence }), 4);
  // An `expires_at` that has passed ends a record whose key is still there.
  await crate.write("t-0002", 1, "old");
  await setPassed(backend, crate, "t-0002");
  await assertRejects(
    () => backend.leases.acquire(nthKey(2), lease),
    NotFoundError,
  );
  assertEquals(await backend.create(nthKey(2), "new", { meta: META }), 1);
});

sharedTest("counts_what_is_live_at_a_quota", async (backend, crate, redis) => {
  const options = (meta = META) => ({ meta, maxRecords: 3 });
  await crate.write("t-0001", 1, "theirs");
  await crate.write("t-0002", 1, "theirs", HOUR);
  assertEquals(await backend.create(nthKey(3), "x", options()), 1);
  await full(backend, 4, options(), 3);
  // Of the crate's expired tasks only the place in the index is left.
  await redis.raw.del(crate.record("t-0002"));
  assertEquals(await backend.create(nthKey(4), "x", options()), 1);
  assertEquals(await crate.tasks(), ["t-0001", "t-0003", "t-0004"]);
  await full(backend, 5, options(), 3);
  // Or a hash that the server has not removed.
  await setPassed(backend, crate, "t-0001");
  assertEquals(await backend.create(nthKey(5), "x", options()), 1);
  await full(backend, 6, options(), 3);
  assertEquals((await backend.listByPrefix(PREFIX)).length, 3);
});

sharedTest("counts_stale_tasks_by_the_thousand", async (backend, _, redis) => {
  const members = Array.from(
    { length: 5_000 },
    (_, n) => ({ value: `gone ${n}`, score: n }),
  );
  await redis.raw.zAdd(`${redis.prefix}:idx:alice`, members);
  const options = { meta: META, maxRecords: 2 };
  assertEquals(await backend.create(nthKey(1), "x", options), 1);
  assertEquals(await backend.create(nthKey(2), "x", options), 1);
  await full(backend, 3, options, 2);
});

sharedTest("quota_is_not_passed_by_what_the_crate_deleted", async (
  backend,
  crate,
) => {
  const soon = Date.now() + 100;
  await backend.put(nthKey(1), "x", { ...META, expiresAt: soon });
  for (const n of [2, 3]) await backend.put(nthKey(n), "x", META);
  // Our own index by expiry still has it, and counts it as expired later.
  await crate.delete("t-0001");
  await crate.write("t-0004", 1, "theirs");
  await waitUntil("its expiry", () => Date.now() > soon + 5);
  await full(backend, 5, { meta: META, maxRecords: 3 }, 3);
});

sharedTest("active_quota_forgets_what_the_crate_deleted", async (
  backend,
  crate,
) => {
  const options = { meta: { ...META, active: true }, maxActive: 1 };
  await backend.create(nthKey(1), "x", options);
  const error = await assertRejects(
    () => backend.create(nthKey(2), "x", options),
    CapacityExceededError,
  );
  assertEquals([error.unit, error.actual], ["active", 1]);
  await crate.delete("t-0001");
  assertEquals(await backend.create(nthKey(2), "x", options), 1);
});

sharedTest("lists_a_task_that_the_crate_made_live_longer", async (
  backend,
  crate,
) => {
  const soon = Date.now() + 100;
  await backend.put(nthKey(1), "x", { ...META, expiresAt: soon });
  await crate.write("t-0001", 2, "longer", HOUR);
  await waitUntil("its first expiry", () => Date.now() > soon + 5);
  for (let round = 0; round < 2; round++) {
    const listed = await backend.listByPrefix(PREFIX);
    assertEquals(listed.map(({ data }) => data), ["longer"]);
    const { records } = await backend.listPage(PREFIX);
    assertEquals(records, listed);
    await full(backend, 2, { meta: META, maxRecords: 1 }, 1);
    await backend.put(nthKey(3), "another", META);
    await backend.delete(nthKey(3));
  }
});

sharedTest("pages_are_whole_whatever_the_crate_left_behind", async (
  backend,
  crate,
  redis,
) => {
  for (let n = 1; n <= 30; n++) await crate.write(`t-${n}`, 1, "x", { at: n });
  for (let n = 1; n <= 30; n++) {
    if (n % 3 !== 0) await redis.raw.del(crate.record(`t-${n}`));
  }
  for (const order of ["newest", "oldest"] as const) {
    const pages = await allPages(backend, PREFIX, { limit: 5, order });
    assertEquals(pages.map((page) => page.length), [5, 5], order);
    // Behind the last live one are only stale entries again.
    await redis.raw.zAdd(
      crate.index,
      [1, 2, 298, 299].map((n) => ({
        value: `gone ${n}`,
        score: n,
      })),
    );
  }
});

sharedTest("lists_forget_what_has_expired", async (backend, crate, redis) => {
  const soon = Date.now() + 60;
  await backend.put(nthKey(1), "x", { ...META, expiresAt: soon });
  await crate.write("t-0002", 1, "x", { expiresAt: soon });
  await crate.write("t-0003", 1, "x");
  await untilGone(backend, nthKey(1));
  await untilGone(backend, nthKey(2));
  const { records } = await backend.listPage(PREFIX);
  assertEquals(records.map(({ key }) => key), [nthKey(3)]);
  assertEquals(await crate.tasks(), ["t-0003"]);
  await backend.listPage(PREFIX);
  assertEquals(await redis.raw.exists(`${redis.prefix}:exp:alice`), 0);
});

/** Makes a record one that has expired, though its key is there. */
async function setPassed(backend: RedisBackend, crate: Crate, task: string) {
  await crate.write(task, 1, "old", { expiresAt: HOUR.expiresAt });
  await crate.setExpiresAt(task, Date.now() - 5000);
  await assertRejects(() => backend.get(makeKey("alice", task)), NotFoundError);
}

/** The owner's quota has no room for the n-th task. */
async function full(
  backend: RedisBackend,
  n: number,
  options: CreateOptions,
  actual: number,
): Promise<void> {
  const error = await assertRejects(
    () => backend.create(nthKey(n), "x", options),
    CapacityExceededError,
  );
  assertEquals([error.unit, error.actual], ["records", actual]);
}
