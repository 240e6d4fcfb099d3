/**
 * Refusals that are told at a retry: the same at every further retry, and never
 * followed by what was refused.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  CapacityExceededError,
  FencedError,
  LeaseConflictError,
  type RedisBackend,
  VersionConflictError,
} from "../../mod.ts";
import { HeldUp } from "../support/held_up.ts";
import { sendRaw } from "../support/proxy.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { midSpan } from "../support/span.ts";
import { HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";

const META = { ...HOUR, createdAt: 1_700_000_000_000 };
const LEASE = { holder: "worker-1", forMs: 60_000 };

redisTest("quota_is_told_with_its_count_at_every_retry", async (redis) => {
  await using held = new HeldUp(redis);
  const cut = await held.connect();
  const direct = await redis.connect();
  const meta = { ...META, active: true };
  for (const n of [1, 2]) await direct.create(nthKey(n), "x", { meta });
  for (
    const [unit, quota] of [
      ["records", { maxRecords: 2 }],
      ["active", { maxActive: 2 }],
    ] as const
  ) {
    await held.holdUp(async () => {
      const error = await assertRejects(
        () => cut.create(KEY, "x", { meta, ...quota }),
        CapacityExceededError,
      );
      assertEquals([error.unit, error.limit, error.actual], [unit, 2, 2]);
    }, "before reply");
  }
});

redisTest("conflict_is_told_with_its_version_at_every_retry", async (redis) => {
  await using held = new HeldUp(redis);
  const cut = await held.connect();
  const direct = await redis.connect();
  for (let n = 0; n < 3; n++) await direct.put(KEY, `${n}`, META);
  await held.holdUp(async () => {
    const error = await assertRejects(
      () => cut.putIfVersion(KEY, "x", 2, META),
      VersionConflictError,
    );
    assertEquals([error.expected, error.actual], [2, 3]);
  }, "before reply");
});

redisTest("held_lease_is_told_as_held_at_every_retry", async (redis) => {
  await using held = new HeldUp(redis);
  const cut = await held.connect();
  const { fence } = await (await redis.connect()).leases.create(
    KEY,
    "x",
    LEASE,
    { meta: META },
  );
  await held.holdUp(async () => {
    const error = await assertRejects(
      () => cut.leases.expire(KEY, fence, "x", 1, META),
      LeaseConflictError,
    );
    assertEquals(error.holder, "worker-1");
  }, "before reply");
});

redisTest(
  "quota_that_is_counted_again_is_not_answered_from_the_refusal_before",
  async (redis) => {
    await using held = new HeldUp(redis);
    const cut = await held.connect({ schema: "pmcp" });
    // The crate has deleted a record and left it in the index.
    const index = `${redis.prefix}:idx:alice`;
    await redis.raw.zAdd(index, { score: 1, value: "stale" });
    await held.holdUp(async () => {
      const options = { meta: META, maxRecords: 1 };
      assertEquals(await cut.create(KEY, "x", options), 1);
    });
    await forget(redis);
  },
);

redisTest(
  "refusal_over_a_record_of_the_crate_is_kept_beside_it",
  async (redis) => {
    await using held = new HeldUp(redis);
    const cut = await held.connect({ schema: "pmcp" });
    const record = `${redis.prefix}:tasks:alice:t-1`;
    await redis.raw.hSet(record, { version: "1", data: "theirs 1" });
    await redis.raw.zAdd(`${redis.prefix}:idx:alice`, {
      score: 1,
      value: "t-1",
    });
    for (
      const [refused, write] of [
        [VersionConflictError, () => cut.putIfVersion(KEY, "late", 2, META)],
        [VersionConflictError, () => cut.create(KEY, "late", { meta: META })],
      ] as const
    ) {
      const late = await held.holdUp(() => assertRejects(write, refused));
      await redis.raw.hSet(record, { version: "2", data: "theirs 2" });
      await sendRaw(redis.url, late);
      assertEquals(await redis.raw.hGet(record, "data"), "theirs 2");
      await redis.raw.hSet(record, { version: "1" });
    }
    await forget(redis);
  },
);

redisTest(
  "refusal_over_a_record_that_the_crate_deletes_is_kept_beyond_it",
  async (redis) => {
    await using held = new HeldUp(redis);
    const cut = await held.connect({ schema: "pmcp" });
    const direct = await redis.connect({ schema: "pmcp" });
    await direct.put(KEY, "x", META);
    const late = await held.holdUp(() =>
      assertRejects(
        () => cut.create(KEY, "late", { meta: META }),
        VersionConflictError,
      )
    );
    await redis.raw.del(`${redis.prefix}:tasks:alice:t-1`);
    await sendRaw(redis.url, late);
    assertEquals(await direct.listByPrefix(PREFIX), []);
    await forget(redis);
  },
);

for (const isReleased of [false, true]) {
  redisTest(
    `acquisition_of_a_record_leased_often_that_was_${
      isReleased ? "released" : "refused"
    }_takes_nothing_by_its_late_bytes`,
    async (redis) => {
      await using held = new HeldUp(redis);
      const cut = await held.connect();
      const direct = await redis.connect();
      await midSpan(redis.raw);
      await direct.put(KEY, "x", META);
      let fence = 0;
      // More than the field with the newest names holds.
      for (let n = 0; n < 140; n++) {
        if (n > 0) await direct.leases.release(KEY, fence);
        ({ fence } = await direct.leases.acquire(KEY, LEASE));
      }
      if (isReleased) await direct.leases.release(KEY, fence);
      const late = await held.holdUp(async () => {
        const acquired = cut.leases.acquire(KEY, { ...LEASE, holder: "cut" });
        if (isReleased) ({ fence } = await acquired);
        else await assertRejects(() => acquired, LeaseConflictError);
      });
      await direct.leases.release(KEY, fence);
      if (isReleased) {
        ({ fence } = await direct.leases.acquire(KEY, LEASE));
        await direct.leases.release(KEY, fence);
      }
      await sendRaw(redis.url, late);
      assertEquals((await direct.get(KEY)).lease, undefined);
      // The names of all are still known.
      const record = await redis.raw.hGetAll(redis.record("alice", "t-1"));
      assert(record.ops!.length < 4500, `${record.ops!.length} bytes`);
    },
  );
}

redisTest(
  "fenced_write_that_was_refused_is_not_executed_when_the_clock_has_gone_back",
  async (redis) => {
    await using held = new HeldUp(redis);
    const cut = await held.connect();
    const direct = await redis.connect();
    const record = redis.record("alice", "t-1");
    // As a `TaskStore` orders tasks of one millisecond.
    const meta = { ...META, createdAt: META.createdAt + 0.25, active: true };
    for (const isShort of [true, false]) {
      await direct.delete(KEY);
      const { fence } = await direct.leases.create(KEY, "x", LEASE, { meta });
      const read = await direct.get(KEY);
      const lease = (await redis.raw.hGet(record, "lease"))!;
      // As if the clock were behind the end of the lease, and then before it.
      const ended = lease.replace(/\|\d+\|/, `|${Date.now() - 1}|`);
      await redis.raw.hSet(record, "lease", ended);
      const expected = isShort ? { ...read, meta } : read;
      const late = await held.holdUp(() =>
        assertRejects(
          () => cut.putIfVersion(KEY, "late", expected, { ...meta, fence }),
          FencedError,
        )
      );
      await redis.raw.hSet(record, "lease", lease);
      await sendRaw(redis.url, late);
      assertEquals((await direct.get(KEY)).data, "x");
    }
  },
);

redisTest(
  "leased_creation_of_what_has_ended_has_the_same_fence_at_its_retry",
  async (redis) => {
    await using held = new HeldUp(redis);
    const cut: RedisBackend = await held.connect();
    const meta = { ...META, expiresAt: Date.now() - 1 };
    await held.holdUp(async () => {
      const { fence } = await cut.leases.create(KEY, "x", LEASE, { meta });
      assert(fence > 1_000_000, `the fence is ${fence}`);
    }, "before reply");
  },
);

redisTest(
  "acquisition_that_the_server_forbids_half_way_has_taken_nothing",
  async (redis) => {
    const direct = await redis.connect();
    const user = `u-${crypto.randomUUID()}`;
    await redis.raw.sendCommand([
      ...["ACL", "SETUSER", user, "on", ">pw", "~*", "&*", "+@all", "-set"],
    ]);
    try {
      const url = redis.url.replace("redis://", `redis://${user}:pw@`);
      const backend = await redis.connect({}, url);
      // Its trace is to be kept beside it.
      await direct.put(KEY, "x", { ...META, expiresAt: Date.now() + 20_000 });
      const error = await assertRejects(
        () => backend.leases.acquire(KEY, LEASE),
        BackendError,
      );
      assertEquals(error.outcome, "not_applied");
      assertEquals((await direct.get(KEY)).lease, undefined);
      assertEquals((await direct.listByPrefix(PREFIX)).length, 1);
    } finally {
      await redis.raw.sendCommand(["ACL", "DELUSER", user]);
    }
  },
);

/** Keys of the other schema have no expiry of their own. */
async function forget(redis: RedisFixture): Promise<void> {
  for (const key of await redis.keys()) await redis.raw.del(key);
}
