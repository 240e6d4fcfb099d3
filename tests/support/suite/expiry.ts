/**
 * Records end at their expiry: not before, not later, for every operation.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { makeKey, NotFoundError, VersionConflictError } from "../../../mod.ts";
import { waitUntil } from "../wait.ts";
import {
  before,
  CLOCK_SKEW_MS,
  type ContractTest,
  deleteAll,
  getPlain,
  HOUR,
  KEY,
  nthKey,
  OWNER,
  plain,
  PREFIX,
  taskJson,
  untilGone,
} from "./env.ts";

export function expiryTests(
  test: ContractTest,
  expiresByItself: boolean,
): void {
  test("get_filters_expired_task", async (backend) => {
    await before(backend, async (expiresAt) => {
      await backend.put(KEY, "short", { expiresAt });
      assertEquals((await backend.get(KEY)).data, "short");
    });
    await untilGone(backend, KEY);
  });

  test("get_filters_expired_task_by_the_expiry_in_its_json", async (backend) => {
    await before(backend, async (expiresAt) => {
      const data = taskJson({ expiresAt });
      await backend.put(KEY, data);
      assertEquals(await getPlain(backend, KEY), { data, version: 1 });
    });
    await untilGone(backend, KEY);
  });

  test("ttl_of_300_ms_lives_300_ms", async (backend) => {
    // Whole seconds would make it 0 or 1,000.
    const expiresAt = Date.now() + 300;
    await backend.put(KEY, "one", { expiresAt });
    await backend.create(nthKey(2), "two", { meta: { expiresAt } });
    await backend.put(nthKey(3), "a", HOUR);
    await backend.putIfVersion(nthKey(3), "b", 1, { expiresAt });
    await waitUntil("all three expired", async () => {
      const startMs = Date.now();
      const { length } = await backend.listByPrefix(PREFIX);
      const endMs = Date.now();
      if (endMs < expiresAt - CLOCK_SKEW_MS) {
        assertEquals(length, 3, `${expiresAt - endMs} ms before the expiry`);
      }
      if (startMs > expiresAt + CLOCK_SKEW_MS) {
        assertEquals(length, 0, `${startMs - expiresAt} ms after the expiry`);
      }
      return length === 0;
    });
    for (const key of [KEY, nthKey(2), nthKey(3)]) {
      await assertRejects(() => backend.get(key), NotFoundError);
    }
  });

  test("expired_record_is_absent_to_every_operation", async (backend) => {
    const expiresAt = Date.now() + 100;
    for (let n = 1; n <= 5; n++) {
      await backend.put(nthKey(n), "old", HOUR);
      await backend.put(nthKey(n), "old", { expiresAt });
    }
    await untilGone(backend, nthKey(5));
    assertEquals(await backend.listByPrefix(PREFIX), []);
    assertEquals(await backend.listPage(PREFIX), { records: [] });
    assertEquals(await backend.delete(nthKey(1)), false);
    const error = await assertRejects(
      () => backend.putIfVersion(nthKey(2), "swap", 2, HOUR),
      VersionConflictError,
    );
    assertEquals([error.expected, error.actual], [2, 0]);
    assertEquals(await backend.put(nthKey(3), "new", HOUR), 1);
    const options = { meta: HOUR, maxRecords: 2 };
    assertEquals(await backend.create(nthKey(4), "new", options), 1);
    assertEquals(
      (await backend.listByPrefix(PREFIX)).map(({ key }) => key),
      [nthKey(3), nthKey(4)],
    );
  });

  test("write_already_expired_succeeds_and_leaves_no_record", async (backend) => {
    const past = { expiresAt: Date.now() - 60_000 };
    assertEquals(await backend.put(nthKey(1), "late", past), 1);
    assertEquals(await backend.put(nthKey(1), "late", past), 1);
    assertEquals(await backend.create(nthKey(2), "late", { meta: past }), 1);
    await backend.put(nthKey(3), "stored", HOUR);
    assertEquals(await backend.put(nthKey(3), "late", past), 2);
    await backend.put(nthKey(4), "stored", HOUR);
    assertEquals(await backend.putIfVersion(nthKey(4), "late", 1, past), 2);
    assertEquals(await backend.put(nthKey(5), "late", { expiresAt: 0 }), 1);
    assertEquals(await backend.listByPrefix(PREFIX), []);
    for (const n of [1, 2, 3, 4, 5]) {
      await assertRejects(() => backend.get(nthKey(n)), NotFoundError);
    }
    const options = { meta: HOUR, maxRecords: 1 };
    assertEquals(await backend.create(nthKey(6), "fits", options), 1);
  });

  test("put_without_expiry_ends_the_one_it_had", async (backend) => {
    await before(backend, async (expiresAt) => {
      await backend.put(nthKey(1), "kept by put", { expiresAt });
      await backend.put(nthKey(2), "kept by swap", { expiresAt });
      await backend.put(nthKey(3), "gone", { expiresAt });
      assertEquals(await backend.put(nthKey(1), "kept by put", {}), 2);
      await backend.putIfVersion(nthKey(2), "kept by swap", 1, {});
    });
    await untilGone(backend, nthKey(3));
    assertEquals((await backend.get(nthKey(1))).version, 2);
    assertEquals((await backend.get(nthKey(2))).version, 2);
    assertEquals((await backend.listByPrefix(PREFIX)).length, 2);
    await deleteAll(backend, OWNER);
  });

  test("later_expiry_replaces_the_earlier", async (backend) => {
    await before(backend, async (expiresAt) => {
      await backend.put(nthKey(1), "longer", { expiresAt });
      await backend.put(nthKey(2), "gone", { expiresAt });
      await backend.put(nthKey(3), "shorter", HOUR);
      await backend.putIfVersion(nthKey(1), "longer", 1, HOUR);
      await backend.put(nthKey(3), "shorter", { expiresAt });
    });
    await untilGone(backend, nthKey(2));
    await untilGone(backend, nthKey(3));
    assertEquals((await backend.listByPrefix(PREFIX)).map(plain), [
      { key: nthKey(1), data: "longer", version: 2 },
    ]);
  });

  test("meta_wins_over_the_json", async (backend) => {
    const soon = Date.now() + 120;
    const data = taskJson({ expiresAt: soon });
    await backend.put(nthKey(1), data, HOUR);
    await backend.put(nthKey(2), data, { active: false });
    await backend.create(nthKey(3), data, { meta: HOUR });
    await backend.put(nthKey(4), taskJson(HOUR), { expiresAt: soon });
    // Neither of them says a time: the text does.
    await backend.put(nthKey(5), data, {});
    await backend.put(nthKey(6), data, { operationId: crypto.randomUUID() });
    for (const n of [4, 5, 6]) await untilGone(backend, nthKey(n));
    assertEquals((await backend.listByPrefix(PREFIX)).length, 3);
    await deleteAll(backend, OWNER);
  });

  test("null_expiry_in_the_json_is_none", async (backend) => {
    await backend.put(KEY, taskJson({ expiresAt: null }));
    assertEquals((await backend.get(KEY)).version, 1);
    await deleteAll(backend, OWNER);
  });

  test("expiry_in_the_json_may_have_any_offset", async (backend) => {
    const shifted = (ms: number) =>
      new Date(ms + 2 * 3600_000).toISOString().replace("Z", "+02:00");
    await backend.put(
      nthKey(1),
      JSON.stringify({ expiresAt: shifted(Date.now() + 1800_000) }),
    );
    await backend.put(
      nthKey(2),
      JSON.stringify({ expiresAt: shifted(Date.now() - 1000) }),
    );
    // Rust's chrono writes nanoseconds.
    const nanoseconds = new Date(Date.now() + 60_000).toISOString()
      .replace("Z", "456789Z");
    await backend.put(nthKey(3), JSON.stringify({ expiresAt: nanoseconds }));
    const keys = (await backend.listByPrefix(PREFIX)).map(({ key }) => key);
    assertEquals(keys, [nthKey(1), nthKey(3)]);
  });

  test(
    expiresByItself
      ? "cleanup_expired_returns_zero"
      : "cleanup_expired_returns_what_it_removed",
    async (backend) => {
      await before(backend, async (expiresAt) => {
        for (const owner of ["alice", "bob", "carol"]) {
          await backend.put(makeKey(owner, "t-1"), "short", { expiresAt });
          await backend.put(makeKey(owner, "t-2"), "long", HOUR);
        }
        assertEquals(await backend.cleanupExpired(), 0);
      });
      for (const owner of ["alice", "bob", "carol"]) {
        await untilGone(backend, makeKey(owner, "t-1"));
      }
      const removed = await backend.cleanupExpired();
      if (expiresByItself) assertEquals(removed, 0);
      // `get` may have freed some of them: never more than there were.
      else assert(removed <= 3, `removed ${removed}`);
      assertEquals(await backend.cleanupExpired(), 0);
      assertEquals((await backend.listByPrefix(PREFIX)).length, 1);
    },
  );
}
