/**
 * `create`: the check for the record, for its owner's quota and the write are
 * one atomic step, whatever other writers do.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CapacityExceededError,
  makeKey,
  NotFoundError,
  type StorageBackend,
  VersionConflictError,
} from "../../../mod.ts";
import { waitUntil } from "../wait.ts";
import {
  before,
  CLOCK_SKEW_MS,
  type ContractTest,
  getPlain,
  HOUR,
  KEY,
  nthKey,
  PREFIX,
} from "./env.ts";

export function quotaTests(test: ContractTest): void {
  test("create_refuses_one_more_than_the_quota", async (backend) => {
    const options = { meta: HOUR, maxRecords: 3 };
    for (const n of [1, 2, 3]) await backend.create(nthKey(n), "x", options);
    const error = await assertRejects(
      () => backend.create(nthKey(4), "x", options),
      CapacityExceededError,
    );
    assertEquals(
      [error.code, error.unit, error.limit, error.actual],
      ["capacity_exceeded", "records", 3, 3],
    );
    await assertRejects(() => backend.get(nthKey(4)), NotFoundError);
    assertEquals((await backend.listByPrefix(PREFIX)).length, 3);
  });

  test("create_at_the_quota_still_tells_an_existing_record", async (backend) => {
    const options = { meta: HOUR, maxRecords: 1 };
    await backend.create(KEY, "x", options);
    await assertRejects(
      () => backend.create(KEY, "y", options),
      VersionConflictError,
    );
  });

  test("create_without_a_quota_has_none", async (backend) => {
    for (let n = 0; n < 150; n++) {
      assertEquals(await backend.create(nthKey(n), "x", { meta: HOUR }), 1);
    }
  });

  test("quota_counts_what_any_write_made", async (backend) => {
    await backend.put(nthKey(1), "x", HOUR);
    await backend.put(nthKey(1), "y", HOUR);
    await full(backend, 1);
    // A put is never refused, even over the quota.
    await backend.put(nthKey(2), "x", HOUR);
    await full(backend, 1, 2);
    await backend.put(nthKey(1), "z", HOUR);
    await full(backend, 2);
  });

  test("quota_is_freed_by_delete", async (backend) => {
    await backend.put(nthKey(1), "x", HOUR);
    await full(backend, 1);
    await backend.delete(nthKey(1));
    await backend.create(nthKey(2), "x", { meta: HOUR, maxRecords: 1 });
    await full(backend, 1);
  });

  test("quota_is_freed_by_expiry", async (backend) => {
    const expiresAt = await before(backend, async (soon) => {
      for (let n = 0; n < 20; n++) {
        await backend.put(nthKey(n), "x", { expiresAt: soon });
      }
      await full(backend, 20);
    });
    await waitUntil("the quota freed", async () => {
      const startMs = Date.now();
      try {
        await backend.create(KEY, "x", { meta: HOUR, maxRecords: 1 });
        return true;
      } catch (error) {
        assert(error instanceof CapacityExceededError);
        const isOver = startMs > expiresAt + CLOCK_SKEW_MS;
        assert(!isOver, "expired, but still counted");
        return false;
      }
    });
    await full(backend, 1);
  });

  test("quota_is_each_owners_own", async (backend) => {
    for (const owner of ["alice", "bob", "alic", "alice2"]) {
      const options = { meta: HOUR, maxRecords: 2 };
      await backend.create(makeKey(owner, "t-1"), "x", options);
      await backend.create(makeKey(owner, "t-2"), "x", options);
    }
    await full(backend, 2);
  });

  test("quota_of_zero_refuses_all", async (backend) => {
    await full(backend, 0);
  });

  test(
    "quota_of_100_lets_100_of_200_concurrent_creates_through",
    async (backend, _other, pick) => {
      const tried = await Promise.allSettled(
        Array.from(
          { length: 200 },
          (_, n) =>
            pick(n).create(nthKey(n), `creation ${n}`, {
              meta: HOUR,
              maxRecords: 100,
            }),
        ),
      );
      const won = tried.flatMap(({ status }, n) =>
        status === "fulfilled" ? [nthKey(n)] : []
      );
      assertEquals(won.length, 100);
      for (const result of tried) {
        if (result.status === "fulfilled") assertEquals(result.value, 1);
        else assert(result.reason instanceof CapacityExceededError);
      }
      const stored = await backend.listByPrefix(PREFIX);
      assertEquals(stored.map(({ key }) => key).sort(), won.sort());
    },
    { instances: 8 },
  );

  test(
    "one_of_64_concurrent_creates_of_one_key_wins",
    async (backend, _other, pick) => {
      for (let round = 0; round < 10; round++) {
        const tried = await Promise.allSettled(
          Array.from({ length: 64 }, (_, n) =>
            pick(n)
              .create(nthKey(round), `${n}`, { meta: HOUR })),
        );
        const winner = soleWinner(tried);
        for (const result of tried) {
          if (result.status === "fulfilled") continue;
          assert(result.reason instanceof VersionConflictError);
          assertEquals([result.reason.expected, result.reason.actual], [0, 1]);
        }
        assertEquals(await getPlain(backend, nthKey(round)), {
          data: `${winner}`,
          version: 1,
        });
      }
    },
    { instances: 8 },
  );

  test(
    "one_of_64_concurrent_swaps_wins_each_of_50_rounds",
    async (backend, _other, pick) => {
      await backend.put(KEY, "start", HOUR);
      for (let version = 1; version <= 50; version++) {
        const tried = await Promise.allSettled(
          Array.from({ length: 64 }, (_, n) =>
            pick(n)
              .putIfVersion(KEY, `${version}/${n}`, version, HOUR)),
        );
        const winner = soleWinner(tried);
        for (const result of tried) {
          if (result.status === "fulfilled") {
            assertEquals(result.value, version + 1);
          } else {
            assert(result.reason instanceof VersionConflictError);
            assertEquals(result.reason.actual, version + 1);
          }
        }
        assertEquals(await getPlain(pick(7), KEY), {
          data: `${version}/${winner}`,
          version: version + 1,
        });
      }
    },
    { instances: 8 },
  );

  test(
    "concurrent_puts_count_every_write",
    async (backend, _other, pick) => {
      const versions = await Promise.all(
        Array.from(
          { length: 200 },
          (_, n) => pick(n).put(KEY, `${n}`, HOUR),
        ),
      );
      assertEquals(
        [...versions].sort((a, b) => a - b),
        Array.from({ length: 200 }, (_, n) => n + 1),
      );
      assertEquals(await getPlain(backend, KEY), {
        data: `${versions.indexOf(200)}`,
        version: 200,
      });
    },
    { instances: 8 },
  );
}

/** A create that must find the owner full, with that many records. */
async function full(
  backend: StorageBackend,
  maxRecords: number,
  actual = maxRecords,
): Promise<void> {
  const error = await assertRejects(
    () => backend.create(nthKey(9999), "x", { meta: HOUR, maxRecords }),
    CapacityExceededError,
  );
  assertEquals([error.limit, error.actual], [maxRecords, actual]);
}

function soleWinner(tried: PromiseSettledResult<number>[]): number {
  const winners = tried.flatMap(({ status }, n) =>
    status === "fulfilled" ? [n] : []
  );
  assertEquals(winners.length, 1);
  return winners[0]!;
}
