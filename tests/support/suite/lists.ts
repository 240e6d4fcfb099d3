/**
 * An owner's records in order: all at once, and page by page.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { makeKey, makePrefix, type StorageBackend } from "../../../mod.ts";
import {
  allPages,
  at,
  type ContractTest,
  HOUR,
  KEY,
  NOON,
  nthKey,
  OWNER,
  plain,
  PREFIX,
  taskJson,
} from "./env.ts";

export function listTests(test: ContractTest): void {
  test("list_by_prefix_returns_matching", async (backend) => {
    await backend.put(makeKey("alice", "t-1"), "1", HOUR);
    await backend.put(makeKey("alice", "t-2"), "2", HOUR);
    await backend.put(makeKey("bob", "t-1"), "3", HOUR);
    assertEquals(await keys(backend), ["alice:t-1", "alice:t-2"]);
    assertEquals(await keys(backend, "bob"), ["bob:t-1"]);
  });

  test("list_by_prefix_empty_on_no_match", async (backend) => {
    await backend.put(makeKey("bob", "t-1"), "1", HOUR);
    assertEquals(await backend.listByPrefix(PREFIX), []);
    assertEquals(await backend.listPage(PREFIX), { records: [] });
  });

  test("list_by_prefix_returns_correct_data_and_versions", async (backend) => {
    await at(backend, 1, NOON);
    await at(backend, 2, NOON + 1);
    await backend.put(nthKey(1), "again", HOUR);
    const records = [
      { key: nthKey(1), data: "again", version: 2 },
      { key: nthKey(2), data: "record 2", version: 1 },
    ];
    assertEquals((await backend.listByPrefix(PREFIX)).map(plain), records);
    const oldest = await backend.listPage(PREFIX, { order: "oldest" });
    assertEquals(oldest.records.map(plain), records);
    const newest = await backend.listPage(PREFIX);
    assertEquals(newest.records.map(plain), [...records].reverse());
    for (const page of [oldest, newest]) {
      assertEquals(Object.keys(page), ["records"]);
    }
  });

  test("lists_are_in_order_of_creation", async (backend) => {
    const order = [5, 1, 4, 2, 3];
    for (const [i, n] of order.entries()) await at(backend, n, NOON + i);
    await oldestFirst(backend, order);
  });

  test("lists_take_the_creation_time_from_the_json", async (backend) => {
    for (const n of [3, 1, 2]) {
      const data = taskJson({ createdAt: NOON - n * 1000, ...HOUR });
      await backend.put(nthKey(n), data);
    }
    await oldestFirst(backend, [3, 2, 1]);
  });

  test("lists_order_equal_times_by_code_point", async (backend) => {
    // In UTF-16 order the emoji would come before U+FF5E and U+FFFD.
    const ids = ["", "A", "B", "a", "a ", "aa", "é", "～", "\uFFFD", "🦕"]
      .map((id) => `t${id}`);
    for (const id of [...ids].reverse()) {
      await backend.put(makeKey(OWNER, id), id, {
        ...HOUR,
        createdAt: NOON,
      });
    }
    const sorted = ids.map((id) => makeKey(OWNER, id));
    assertEquals(await keys(backend), sorted);
    for (const limit of [1, 3, 100]) {
      const up = await allPages(backend, PREFIX, { limit, order: "oldest" });
      assertEquals(up.flat(), sorted);
      const down = await allPages(backend, PREFIX, { limit });
      assertEquals(down.flat(), [...sorted].reverse());
    }
  });

  test("update_keeps_the_place", async (backend) => {
    for (const n of [1, 2, 3]) await at(backend, n, NOON + n);
    await backend.put(nthKey(1), "put", HOUR);
    await backend.putIfVersion(nthKey(2), "swap", 1, HOUR);
    await oldestFirst(backend, [1, 2, 3]);
  });

  test("update_keeps_the_place_the_first_write_gave", async (backend) => {
    await backend.put(nthKey(2), "first", HOUR);
    const after = Date.now();
    while (Date.now() === after) { /* until the clock has moved */ }
    await backend.put(nthKey(1), "second", HOUR);
    await backend.put(nthKey(2), "again", HOUR);
    await oldestFirst(backend, [2, 1]);
  });

  test("update_with_another_creation_time_moves_it", async (backend) => {
    for (const n of [1, 2, 3]) await at(backend, n, NOON + n);
    await at(backend, 1, NOON + 9);
    await oldestFirst(backend, [2, 3, 1]);
    const swap = { ...HOUR, createdAt: NOON };
    await backend.putIfVersion(nthKey(3), "swap", 1, swap);
    await oldestFirst(backend, [3, 2, 1]);
  });

  test("records_of_one_millisecond_keep_their_order", async (backend) => {
    // In thousandths, as a writer numbers them; ids and times disagree.
    for (let n = 1; n <= 9; n++) await at(backend, n, NOON + (10 - n) / 1000);
    await at(backend, 10, NOON);
    await at(backend, 11, NOON + 1);
    await backend.put(nthKey(5), "an update keeps the place", HOUR);
    await oldestFirst(backend, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11]);
  });

  test("a_thousand_records_list_whole", async (backend) => {
    const expected = Array.from({ length: 1000 }, (_, n) => nthKey(n));
    await Promise.all(
      expected.map((_, n) => at(backend, n, NOON + n)),
    );
    assertEquals(await keys(backend), expected);
    const page = await backend.listPage(PREFIX, { limit: 1000 });
    assertEquals(page.records.length, 1000);
    assertEquals(page.nextCursor, undefined);
    const pages = await allPages(backend, PREFIX, { limit: 333 });
    assertEquals(pages.flat(), [...expected].reverse());
  });

  test("delete_and_create_of_one_key_lists_it_once", async (backend) => {
    for (let i = 0; i < 5; i++) {
      await backend.create(KEY, `${i}`, { meta: HOUR });
      assertEquals(await keys(backend), [KEY]);
      await backend.delete(KEY);
      assertEquals(await keys(backend), []);
    }
  });
}

async function keys(
  backend: StorageBackend,
  owner = OWNER,
): Promise<string[]> {
  const records = await backend.listByPrefix(makePrefix(owner));
  return records.map(({ key }) => key);
}

/** Both lists, in both orders, must have exactly these tasks. */
async function oldestFirst(
  backend: StorageBackend,
  order: number[],
): Promise<void> {
  const expected = order.map((n) => nthKey(n));
  assertEquals(await keys(backend), expected);
  const up = await allPages(backend, PREFIX, { limit: 2, order: "oldest" });
  assertEquals(up.flat(), expected);
  const down = await allPages(backend, PREFIX, { limit: 2, order: "newest" });
  assertEquals(down.flat(), [...expected].reverse());
}
