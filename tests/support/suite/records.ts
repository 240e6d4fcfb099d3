/**
 * Reading, writing, comparing and deleting one record.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  makeKey,
  NotFoundError,
  type StorageBackend,
  VersionConflictError,
} from "../../../mod.ts";
import {
  type ContractTest,
  deleteAll,
  getPlain,
  HOUR,
  KEY,
  OWNER,
  plain,
  PREFIX,
  taskJson,
} from "./env.ts";

export function recordTests(test: ContractTest): void {
  test("get_missing_key_returns_not_found", async (backend) => {
    const error = await assertRejects(() => backend.get(KEY), NotFoundError);
    assertEquals([error.code, error.key], ["not_found", KEY]);
  });

  test("get_returns_stored_data", async (backend) => {
    await backend.put(KEY, "stored", HOUR);
    assertEquals(await getPlain(backend, KEY), { data: "stored", version: 1 });
  });

  test("put_new_key_returns_version_1", async (backend) => {
    assertEquals(await backend.put(KEY, "new", HOUR), 1);
  });

  test("put_existing_key_increments_version", async (backend) => {
    for (let version = 1; version <= 5; version++) {
      assertEquals(await backend.put(KEY, `v${version}`, HOUR), version);
    }
    assertEquals((await backend.get(KEY)).version, 5);
  });

  test("put_overwrites_data", async (backend) => {
    await backend.put(KEY, "a much longer first text", HOUR);
    await backend.put(KEY, "second", HOUR);
    assertEquals(await getPlain(backend, KEY), { data: "second", version: 2 });
  });

  test("put_if_version_succeeds_on_match", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    assertEquals(await backend.putIfVersion(KEY, "two", 1, HOUR), 2);
    assertEquals(await backend.putIfVersion(KEY, "three", 2, HOUR), 3);
  });

  test("put_if_version_fails_on_mismatch", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    await backend.put(KEY, "two", HOUR);
    // Below, just above and far above what is stored.
    for (const expected of [1, 3, Number.MAX_SAFE_INTEGER - 1]) {
      await conflict(backend, KEY, expected, 2);
    }
    assertEquals(await getPlain(backend, KEY), { data: "two", version: 2 });
  });

  test("put_if_version_fails_on_missing_key", async (backend) => {
    await conflict(backend, KEY, 1, 0);
    await assertRejects(() => backend.get(KEY), NotFoundError);
    assertEquals(await backend.listByPrefix(PREFIX), []);
  });

  test("put_if_version_updates_data", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    await backend.putIfVersion(KEY, "two", 1, HOUR);
    assertEquals(await getPlain(backend, KEY), { data: "two", version: 2 });
  });

  test("put_if_version_with_the_data_that_stands_still_compares", async (backend) => {
    await backend.put(KEY, "same", HOUR);
    await backend.put(KEY, "same", HOUR);
    await conflict(backend, KEY, 1, 2, "same");
    assertEquals(await backend.putIfVersion(KEY, "same", 2, HOUR), 3);
  });

  test("delete_existing_returns_true", async (backend) => {
    await backend.put(KEY, "data", HOUR);
    assertEquals(await backend.delete(KEY), true);
  });

  test("delete_missing_returns_false", async (backend) => {
    assertEquals(await backend.delete(KEY), false);
    await backend.put(KEY, "data", HOUR);
    await backend.delete(KEY);
    assertEquals(await backend.delete(KEY), false);
  });

  test("delete_then_get_returns_not_found", async (backend) => {
    await backend.put(KEY, "data", HOUR);
    await backend.delete(KEY);
    await assertRejects(() => backend.get(KEY), NotFoundError);
    assertEquals(await backend.listByPrefix(PREFIX), []);
  });

  test("delete_then_put_begins_at_version_1", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    await backend.put(KEY, "two", HOUR);
    await backend.delete(KEY);
    await conflict(backend, KEY, 2, 0);
    assertEquals(await backend.put(KEY, "three", HOUR), 1);
  });

  test("delete_leaves_the_other_records", async (backend) => {
    const other = makeKey(OWNER, "t-2");
    await backend.put(KEY, "one", HOUR);
    await backend.put(other, "two", HOUR);
    await backend.delete(KEY);
    assertEquals((await backend.listByPrefix(PREFIX)).map(plain), [
      { key: other, data: "two", version: 1 },
    ]);
  });

  test("create_new_key_returns_version_1", async (backend) => {
    assertEquals(await backend.create(KEY, "new", { meta: HOUR }), 1);
    assertEquals(await getPlain(backend, KEY), { data: "new", version: 1 });
  });

  test("create_fails_on_existing_key", async (backend) => {
    for (const version of [1, 2]) {
      await backend.put(KEY, "two", HOUR);
      // Not even with the data that is stored: another writer has created it.
      for (const data of ["two", "three"]) {
        const error = await assertRejects(
          () => backend.create(KEY, data, { meta: HOUR }),
          VersionConflictError,
        );
        const { key, expected, actual } = error;
        assertEquals([key, expected, actual], [KEY, 0, version]);
      }
    }
    assertEquals(await getPlain(backend, KEY), { data: "two", version: 2 });
  });

  test("create_after_delete_begins_at_version_1", async (backend) => {
    await backend.create(KEY, "one", { meta: HOUR });
    await backend.delete(KEY);
    assertEquals(await backend.create(KEY, "two", { meta: HOUR }), 1);
  });

  test("data_comes_back_exactly_as_written", async (backend) => {
    const texts = [
      "",
      "0",
      "not JSON",
      '{"unfinished":',
      "null",
      "[1,2]",
      '"text"',
      "line\r\n\0\x7f\ttab",
      "zażółć 漢字 🦕 \u{10FFFF} \uFFFE \uFEFF",
      '{"a":1e400,"b":"\\ud800"}',
      taskJson({ note: "x".repeat(1_000_000), expiresAt: HOUR.expiresAt }),
    ];
    for (const [index, data] of texts.entries()) {
      assertEquals(await backend.put(KEY, data, HOUR), index + 1);
      assertEquals(await getPlain(backend, KEY), { data, version: index + 1 });
    }
    assertEquals((await backend.listByPrefix(PREFIX))[0]?.data, texts.at(-1));
  });

  test("task_ids_may_be_any_text", async (backend) => {
    const ids = ["a:b", ":", "{x}", "*", "[a-z]?", "%3A", " ", "\0", "🦕", "é"];
    for (const id of ids) await backend.put(makeKey(OWNER, id), id, HOUR);
    for (const id of ids) {
      const key = makeKey(OWNER, id);
      assertEquals(await getPlain(backend, key), { data: id, version: 1 });
    }
    const listed = await backend.listByPrefix(PREFIX);
    assertEquals(
      listed.map(({ key, data }) => [key, data]).sort(),
      ids.map((id) => [makeKey(OWNER, id), id]).sort(),
    );
  });

  test("data_that_is_no_json_has_no_expiry", async (backend) => {
    await backend.put(KEY, "plain");
    await backend.put(makeKey(OWNER, "t-2"), '{"expiresAt":');
    await backend.create(makeKey(OWNER, "t-3"), '"expiresAt"');
    assertEquals((await backend.listByPrefix(PREFIX)).length, 3);
    await deleteAll(backend, OWNER);
  });
}

/** A swap that must lose, and say what is stored. */
async function conflict(
  backend: StorageBackend,
  key: string,
  expected: number,
  actual: number,
  data = "lost",
): Promise<void> {
  const error = await assertRejects(
    () => backend.putIfVersion(key, data, expected, HOUR),
    VersionConflictError,
  );
  assertEquals(
    [error.code, error.key, error.expected, error.actual],
    ["version_conflict", key, expected, actual],
  );
}
