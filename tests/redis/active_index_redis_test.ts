/**
 * The expiry of the index of active records: no record falls out of it before
 * its end, and it does not stay when its records have gone.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type StorageBackend, TaskStore } from "../../mod.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { nthKey } from "../support/suite/env.ts";

/** When the index ends, in epoch milliseconds; -1: never, -2: there is none. */
function endOf(redis: RedisFixture): Promise<number> {
  return redis.raw.pExpireTime(`${redis.prefix}:act:{alice}`);
}

redisTest(
  "active_index_outlives_its_records_beside_one_that_has_finished",
  async (redis) => {
    const backend = await redis.connect();
    const now = Date.now();
    let n = 0;
    const create = (ms: number, active: boolean) =>
      backend.create(nthKey(++n), "x", {
        meta: { createdAt: now + n, expiresAt: now + ms, active },
      });
    await create(3_600_000, false);
    // Written the long way, by which the index gets the end of its only record.
    await create(2000, true);
    for (const ms of [600_000, 300_000, 1_200_000]) {
      await create(ms, true);
      const end = await endOf(redis);
      assert(end >= now + ms, `ends ${now + ms - end} ms before its record`);
    }
  },
);

redisTest("active_index_outlives_the_tasks_of_a_store", async (redis) => {
  const store = new TaskStore(await redis.connect());
  const { task } = await store.create("alice", "tools/call", {
    ttlMs: 3_600_000,
  });
  await store.completeWithResult(task.taskId, "alice", { content: [] });
  await store.create("alice", "tools/call", { ttlMs: 30_000 });
  await store.create("alice", "tools/call", { ttlMs: 900_000 });
  const left = await endOf(redis) - Date.now();
  assert(left > 890_000, `ends in ${left} ms`);
});

/** Ways by which the only active record without an end finishes. */
const FINISHES: Record<string, (backend: StorageBackend) => Promise<unknown>> =
  {
    swap: async (backend) => {
      const meta = { createdAt: 2, active: true };
      const read = { ...await backend.get(nthKey(2)), meta };
      await backend.putIfVersion(nthKey(2), "y", read, {
        ...meta,
        active: false,
      });
    },
    put: (backend) =>
      backend.put(nthKey(2), "y", { createdAt: 2, active: false }),
    swap_by_version: (backend) =>
      backend.putIfVersion(nthKey(2), "y", 1, { createdAt: 2, active: false }),
  };

for (const [name, finish] of Object.entries(FINISHES)) {
  redisTest(
    `active_index_ends_again_after_a_${name}_of_its_last_record_without_end`,
    async (redis) => {
      const backend = await redis.connect();
      const end = Date.now() + 3_600_000;
      await backend.put(nthKey(1), "x", {
        createdAt: 1,
        expiresAt: end,
        active: true,
      });
      await backend.put(nthKey(2), "x", { createdAt: 2, active: true });
      assertEquals(await endOf(redis), -1);
      await finish(backend);
      assert(await endOf(redis) >= end);
      await backend.delete(nthKey(2));
    },
  );
}
