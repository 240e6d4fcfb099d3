/**
 * Active records: counted by a quota of their own, and listed on their own.
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
import { type Anything, unchanged, writesOf } from "./calls.ts";
import {
  allPages,
  before,
  CLOCK_SKEW_MS,
  type ContractTest,
  HOUR,
  KEY,
  NOON,
  nthKey,
  PREFIX,
  untilGone,
} from "./env.ts";

const ACTIVE = { ...HOUR, active: true };

export function activeTests(test: ContractTest): void {
  test("create_refuses_one_more_active_than_the_quota", async (backend) => {
    const options = { meta: ACTIVE, maxActive: 2 };
    for (const n of [1, 2]) {
      assertEquals(await backend.create(nthKey(n), "x", options), 1);
    }
    const error = await assertRejects(
      () => backend.create(nthKey(3), "x", options),
      CapacityExceededError,
    );
    assertEquals(
      [error.code, error.unit, error.limit, error.actual],
      ["capacity_exceeded", "active", 2, 2],
    );
    await assertRejects(() => backend.get(nthKey(3)), NotFoundError);
    assertEquals((await backend.listByPrefix(PREFIX)).length, 2);
  });

  test("active_quota_bounds_only_active_records", async (backend) => {
    await backend.put(nthKey(1), "active", ACTIVE);
    for (const meta of [HOUR, { ...HOUR, active: false }]) {
      const key = nthKey(meta === HOUR ? 2 : 3);
      assertEquals(await backend.create(key, "x", { meta, maxActive: 0 }), 1);
    }
    // What is not active has no place in it, and the two quotas are apart.
    await full(backend, 1);
    await backend.create(nthKey(4), "x", {
      meta: ACTIVE,
      maxActive: 2,
      maxRecords: 4,
    });
    const error = await assertRejects(
      () =>
        backend.create(nthKey(5), "x", {
          meta: ACTIVE,
          maxActive: 100,
          maxRecords: 4,
        }),
      CapacityExceededError,
    );
    assertEquals([error.unit, error.actual], ["records", 4]);
  });

  test("create_at_the_active_quota_still_tells_an_existing_record", async (backend) => {
    const options = { meta: ACTIVE, maxActive: 1 };
    await backend.create(KEY, "x", options);
    await assertRejects(
      () => backend.create(KEY, "y", options),
      VersionConflictError,
    );
  });

  test("active_quota_counts_what_any_write_made", async (backend) => {
    await backend.put(nthKey(1), "x", ACTIVE);
    await backend.put(nthKey(1), "y", ACTIVE);
    await full(backend, 1);
    // An update is never refused, even over the quota.
    await backend.put(nthKey(2), "x", HOUR);
    await full(backend, 1);
    await backend.putIfVersion(nthKey(2), "x", 1, ACTIVE);
    await full(backend, 1, 2);
  });

  test("active_quota_is_freed_by_an_update_to_inactive", async (backend) => {
    for (const meta of [HOUR, { ...HOUR, active: false }]) {
      for (const update of ["put", "swap"]) {
        await backend.delete(KEY);
        await backend.create(KEY, "x", { meta: ACTIVE, maxActive: 1 });
        await full(backend, 1);
        if (update === "put") await backend.put(KEY, "done", meta);
        else await backend.putIfVersion(KEY, "done", 1, meta);
        await backend.create(nthKey(2), "x", { meta: ACTIVE, maxActive: 1 });
        await full(backend, 1);
        await backend.delete(nthKey(2));
      }
    }
  });

  test("hint_that_is_wrong_about_activity_leaves_no_place_taken", async (backend) => {
    const place = { ...HOUR, createdAt: NOON };
    for (const was of [true, false]) {
      for (const said of [true, false, undefined]) {
        for (const is of [true, false]) {
          await backend.create(KEY, "x", { meta: { ...place, active: was } });
          const { version, etag } = await backend.get(KEY);
          const meta = { ...place, active: said };
          const next = { ...place, active: is };
          const expected = { version, etag, meta };
          assertEquals(await backend.putIfVersion(KEY, "y", expected, next), 2);
          const { records } = await backend.listPage(PREFIX, { active: true });
          const label = `was ${was}, said ${said}, is ${is}`;
          assertEquals(records.map(({ key }) => key), is ? [KEY] : [], label);
          await full(backend, records.length);
          await backend.delete(KEY);
        }
      }
    }
  });

  test("active_quota_is_freed_by_delete", async (backend) => {
    await backend.put(KEY, "x", ACTIVE);
    await full(backend, 1);
    await backend.delete(KEY);
    await backend.create(nthKey(2), "x", { meta: ACTIVE, maxActive: 1 });
    await full(backend, 1);
  });

  test("active_quota_is_freed_by_expiry", async (backend) => {
    const expiresAt = await before(backend, async (soon) => {
      for (let n = 1; n <= 10; n++) {
        const meta = { expiresAt: soon, active: true };
        await backend.put(nthKey(n), "x", meta);
      }
      await full(backend, 10);
    });
    await waitUntil("the quota freed", async () => {
      const startMs = Date.now();
      try {
        await backend.create(KEY, "x", { meta: ACTIVE, maxActive: 1 });
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

  test("active_quota_is_each_owners_own", async (backend) => {
    for (const owner of ["alice", "bob", "alic"]) {
      const options = { meta: ACTIVE, maxActive: 1 };
      await backend.create(makeKey(owner, "t-1"), "x", options);
    }
    await full(backend, 1);
  });

  test(
    "active_quota_of_20_lets_20_of_60_concurrent_creates_through",
    async (backend, _other, pick) => {
      const tried = await Promise.allSettled(
        Array.from({ length: 80 }, (_, n) =>
          pick(n).create(nthKey(n), "x", {
            // Every fourth is inactive and takes no place.
            meta: { ...HOUR, active: n % 4 !== 0 },
            maxActive: 20,
          })),
      );
      const created = tried.flatMap(({ status }, n) =>
        status === "fulfilled" ? [n] : []
      );
      assertEquals(created.filter((n) => n % 4 === 0).length, 20);
      const active = created.filter((n) => n % 4 !== 0).map((n) => nthKey(n));
      assertEquals(active.length, 20);
      for (const result of tried) {
        if (result.status === "fulfilled") continue;
        assert(result.reason instanceof CapacityExceededError);
        assertEquals([result.reason.unit, result.reason.actual], [
          "active",
          20,
        ]);
      }
      const pages = await allPages(backend, PREFIX, { active: true, limit: 7 });
      assertEquals(pages.flat().sort(), active.sort());
    },
    { instances: 8 },
  );

  test("active_page_has_only_active_records_in_order", async (backend) => {
    for (let n = 1; n <= 12; n++) {
      const meta = { ...HOUR, createdAt: NOON + n, active: n % 3 !== 0 };
      await backend.put(nthKey(n), `record ${n}`, meta);
    }
    const oldest = [1, 2, 4, 5, 7, 8, 10, 11].map((n) => nthKey(n));
    for (const limit of [1, 2, 3, 7, 8, 100]) {
      const up = { active: true, limit, order: "oldest" } as const;
      const pages = await allPages(backend, PREFIX, up);
      assertEquals(pages.flat(), oldest);
      assertEquals(pages.length, Math.ceil(8 / limit));
      const down = await allPages(backend, PREFIX, { active: true, limit });
      assertEquals(down.flat(), oldest.toReversed());
    }
    const [first] = (await backend.listPage(PREFIX, { active: true })).records;
    const read = await backend.get(nthKey(11));
    assertEquals(first, { key: nthKey(11), ...read });
    for (const options of [{}, { active: false }]) {
      const { records } = await backend.listPage(PREFIX, options);
      assertEquals(records.length, 12);
    }
  });

  test("active_page_follows_every_change", async (backend) => {
    for (const n of [1, 2, 3, 4]) {
      await backend.put(nthKey(n), "x", { ...ACTIVE, createdAt: NOON + n });
    }
    await backend.put(nthKey(1), "done", HOUR);
    await backend.putIfVersion(nthKey(2), "moved", 1, {
      ...ACTIVE,
      createdAt: NOON + 9,
    });
    await backend.delete(nthKey(3));
    await backend.put(nthKey(5), "x", { ...HOUR, createdAt: NOON });
    await backend.put(nthKey(5), "active at last", ACTIVE);
    const listed = await allPages(backend, PREFIX, {
      active: true,
      limit: 2,
      order: "oldest",
    });
    assertEquals(listed.flat(), [5, 4, 2].map((n) => nthKey(n)));
  });

  test("active_page_after_its_last_record_went_goes_on", async (backend) => {
    for (const order of ["newest", "oldest"] as const) {
      for (let n = 1; n <= 6; n++) {
        await backend.put(nthKey(n), "x", { ...ACTIVE, createdAt: NOON + n });
      }
      const options = { active: true, limit: 3, order };
      const first = await backend.listPage(PREFIX, options);
      for (const { key } of first.records) await backend.put(key, "-", HOUR);
      const cursor = first.nextCursor!;
      const { records } = await backend.listPage(PREFIX, {
        ...options,
        cursor,
      });
      const rest = order === "newest" ? [3, 2, 1] : [4, 5, 6];
      assertEquals(records.map(({ key }) => key), rest.map((n) => nthKey(n)));
    }
  });

  test("active_page_skips_what_has_expired", async (backend) => {
    const expiresAt = Date.now() + 50;
    for (let n = 1; n <= 9; n++) {
      const meta = n % 3 === 0 ? HOUR : { expiresAt };
      const active = { ...meta, active: true, createdAt: NOON + n };
      await backend.put(nthKey(n), "x", active);
    }
    await untilGone(backend, nthKey(1));
    const pages = await allPages(backend, PREFIX, { active: true, limit: 2 });
    assertEquals(pages, [[nthKey(9), nthKey(6)], [nthKey(3)]]);
  });

  test("malformed_activity_is_refused_and_changes_nothing", async (backend) => {
    await unchanged(backend, async () => {
      for (const active of ["yes", 1, 0, null, {}] as Anything[]) {
        for (const call of writesOf(backend, "x", { ...HOUR, active })) {
          await assertRejects(call, TypeError, "active");
        }
        await assertRejects(
          () => backend.listPage(PREFIX, { active }),
          TypeError,
          "active",
        );
      }
      for (const maxActive of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
        await assertRejects(
          () => backend.create(nthKey(9), "x", { meta: ACTIVE, maxActive }),
          RangeError,
          "maxActive",
        );
      }
      for (const maxActive of ["1", null, {}, true] as Anything[]) {
        await assertRejects(
          () => backend.create(nthKey(9), "x", { meta: ACTIVE, maxActive }),
          TypeError,
          "maxActive",
        );
      }
    });
  });
}

/** A create that must find the owner full, with that many active records. */
async function full(
  backend: StorageBackend,
  maxActive: number,
  actual = maxActive,
): Promise<void> {
  const error = await assertRejects(
    () => backend.create(nthKey(9999), "x", { meta: ACTIVE, maxActive }),
    CapacityExceededError,
  );
  assertEquals(
    [error.unit, error.limit, error.actual],
    ["active", maxActive, actual],
  );
}
