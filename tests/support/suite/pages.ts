/**
 * Pages of an owner's records, over a set that stays as it is and over one
 * that does not.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { PageOrder, StorageBackend } from "../../../mod.ts";
import {
  allPages,
  at,
  type ContractTest,
  deleteAll,
  HOUR,
  NOON,
  nthKey,
  OWNER,
  plain,
  PREFIX,
  untilGone,
} from "./env.ts";

/** Reads what a cursor says. */
function decodeBase64Url(text: string): string {
  return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
}

export function pageTests(test: ContractTest): void {
  test("page_is_newest_first_and_50_by_default", async (backend) => {
    await fill(backend, 51);
    const page = await backend.listPage(PREFIX);
    assertEquals(page.records.length, 50);
    assertEquals(page.records[0]?.key, nthKey(51));
    const cursor = page.nextCursor!;
    const last = await backend.listPage(PREFIX, { cursor });
    assertEquals(Object.keys(last), ["records"]);
    assertEquals(last.records.map(plain), [
      { key: nthKey(1), data: "record 1", version: 1 },
    ]);
  });

  test("last_page_has_no_cursor", async (backend) => {
    await fill(backend, 12);
    for (const limit of [1, 2, 3, 4, 5, 11, 12, 13, 1000]) {
      for (const order of ["newest", "oldest"] as const) {
        const pages = await allPages(backend, PREFIX, { limit, order });
        assertEquals(pages.length, Math.ceil(12 / limit));
        assertEquals(pages.flat().length, 12);
      }
    }
  });

  test("page_after_its_last_record_was_deleted_goes_on", async (backend) => {
    for (const order of ["newest", "oldest"] as const) {
      await fill(backend, 6);
      const first = await backend.listPage(PREFIX, { limit: 3, order });
      for (const { key } of first.records) await backend.delete(key);
      const cursor = first.nextCursor!;
      const second = await backend.listPage(PREFIX, {
        limit: 3,
        order,
        cursor,
      });
      assertEquals(
        second.records.map(({ key }) => key),
        (order === "newest" ? [3, 2, 1] : [4, 5, 6]).map((n) => nthKey(n)),
      );
    }
  });

  test("page_after_a_deleted_record_of_the_same_time_goes_on", async (backend) => {
    for (const order of ["newest", "oldest"] as const) {
      for (let n = 1; n <= 9; n++) await at(backend, n, NOON);
      // The place is between two members of one score: only the id tells.
      const first = await backend.listPage(PREFIX, { limit: 4, order });
      for (const { key } of first.records.slice(1)) await backend.delete(key);
      const cursor = first.nextCursor!;
      const second = await backend.listPage(PREFIX, { order, cursor });
      assertEquals(
        second.records.map(({ key }) => key),
        (order === "newest" ? [5, 4, 3, 2, 1] : [5, 6, 7, 8, 9])
          .map((n) => nthKey(n)),
      );
    }
  });

  test("page_after_any_creation_time_goes_on", async (backend) => {
    const times = [
      ...[0, -0, 5e-324, 2.2250738585072014e-308, 1e-7, 1.2345678901234567e-7],
      ...[0.000001, 0.0000012345678901234567, 0.1, 0.30000000000000004, 1 / 3],
      ...[0.9999999999999999, 1, 1.1, NOON + 0.003, NOON + 1 / 3, 8.64e15],
    ];
    for (const [n, time] of times.entries()) await at(backend, n, time);
    const all = times.map((_, n) => nthKey(n));
    for (const limit of [1, 2, 5]) {
      const up = await allPages(backend, PREFIX, { limit, order: "oldest" });
      assertEquals(up.flat(), all);
      const down = await allPages(backend, PREFIX, { limit });
      assertEquals(down.flat(), all.toReversed());
    }
  });

  test("cursor_is_the_same_text_whatever_the_engine", async (backend) => {
    const cursors = new Map([
      [0.1, "n0.1:t-0002"],
      [1e-7, "n1e-7:t-0002"],
      [NOON + 0.003, `n${NOON + 0.003}:t-0002`],
      [NOON, `n${NOON}:t-0002`],
    ]);
    for (const [time, text] of cursors) {
      for (const n of [1, 2]) await at(backend, n, time);
      const { nextCursor } = await backend.listPage(PREFIX, { limit: 1 });
      assertEquals(decodeBase64Url(nextCursor!), text);
    }
  });

  test("page_after_everything_went_is_empty", async (backend) => {
    await fill(backend, 6);
    const { nextCursor: cursor = "" } = await backend.listPage(PREFIX, {
      limit: 3,
    });
    await deleteAll(backend, OWNER);
    assertEquals(await backend.listPage(PREFIX, { cursor }), {
      records: [],
    });
  });

  test("pages_skip_what_has_expired", async (backend) => {
    const expiresAt = Date.now() + 100;
    for (let n = 1; n <= 30; n++) {
      await backend.put(nthKey(n), "x", {
        createdAt: NOON + n,
        expiresAt: n % 3 === 0 ? HOUR.expiresAt : expiresAt,
      });
    }
    await untilGone(backend, nthKey(1));
    const pages = await allPages(backend, PREFIX, { limit: 4 });
    assertEquals(
      pages.flat(),
      [30, 27, 24, 21, 18, 15, 12, 9, 6, 3].map((n) => nthKey(n)),
    );
    // Whole pages all the same: what has expired takes no place on them.
    assertEquals(pages.map((page) => page.length), [4, 4, 2]);
  });

  test("pages_over_a_changing_set_repeat_and_skip_nothing", async (backend) => {
    for (const order of ["newest", "oldest"] as PageOrder[]) {
      await changingPages(backend, order, 0);
      // Everything created in the same millisecond: only the id tells.
      await changingPages(backend, order, 1);
    }
  });

  test(
    "pages_while_others_write_repeat_and_skip_nothing",
    async (backend, _other, pick) => {
      for (let n = 0; n < 300; n += 2) await at(backend, n, NOON + n);
      let reading = true;
      const writers = [1, 2, 3].map(async (w) => {
        const other = pick(w);
        for (let i = w; reading; i += 3) {
          const n = (i * 37) % 300 | 1;
          await at(other, n, NOON + n);
          await other.delete(nthKey(n));
        }
      });
      try {
        for (let round = 0; round < 10; round++) {
          const order = round % 2 === 0 ? "newest" : "oldest";
          const pages = await allPages(backend, PREFIX, { limit: 7, order });
          const seen = pages.flat();
          assertEquals(new Set(seen).size, seen.length, "repeated");
          const stable = seen.filter((key) => Number(key.slice(-4)) % 2 === 0);
          assertEquals(stable.length, 150, "skipped");
        }
      } finally {
        reading = false;
        await Promise.all(writers);
      }
    },
    { instances: 4 },
  );
}

/** Pages through a set that loses and gains records between the pages. */
async function changingPages(
  backend: StorageBackend,
  order: PageOrder,
  sameTime: 0 | 1,
): Promise<void> {
  const time = (n: number) => sameTime ? NOON : NOON + n;
  // Multiples of ten stay; the others come and go around the reader.
  for (let n = 0; n < 100; n++) await at(backend, n, time(n));
  const seen: string[] = [];
  const limit = 6;
  let page = await backend.listPage(PREFIX, { order, limit });
  for (let step = 0;;) {
    seen.push(...page.records.map(({ key }) => key));
    const cursor = page.nextCursor;
    if (cursor === undefined) break;
    for (let i = 0; i < 12; i++, step++) {
      const n = (step * 7) % 100;
      if (n % 10 === 0) continue;
      if (step % 2 === 0) await backend.delete(nthKey(n));
      else await at(backend, n, time(n));
    }
    page = await backend.listPage(PREFIX, { cursor, order, limit });
  }
  assertEquals(new Set(seen).size, seen.length, "a record was repeated");
  for (let n = 0; n < 100; n += 10) {
    assert(seen.includes(nthKey(n)), `${nthKey(n)} was skipped`);
  }
  await deleteAll(backend, OWNER);
}

/** Writes records 1 to `count`, a millisecond apart. */
async function fill(backend: StorageBackend, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) await at(backend, n, NOON + n);
}
