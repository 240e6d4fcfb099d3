/**
 * Etags: with one, a condition is exact, whatever lives the key has had.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ExpectedRecord,
  type StorageBackend,
  VersionConflictError,
} from "../../../mod.ts";
import { type Anything, unchanged } from "./calls.ts";
import {
  type ContractTest,
  HOUR,
  KEY,
  newId,
  nthKey,
  onlyWinner,
  PREFIX,
  untilGone,
} from "./env.ts";

const TWO = { instances: 2 };

export function etagTests(test: ContractTest): void {
  test("etag_is_the_same_however_it_is_read", async (backend, other) => {
    await backend.create(KEY, "one", { meta: HOUR });
    for (const data of ["two", "three"]) {
      const read = await backend.get(KEY);
      assertEquals(await other.get(KEY), read);
      const listed = { key: KEY, ...read };
      assertEquals(await other.listByPrefix(PREFIX), [listed]);
      assertEquals((await other.listPage(PREFIX)).records, [listed]);
      for await (const record of other.watch(KEY)) {
        assertEquals(record, read);
        break;
      }
      await other.put(KEY, data, HOUR);
    }
  }, TWO);

  test("etag_never_recurs", async (backend, other) => {
    const seen: string[] = [];
    const see = async () => seen.push((await other.get(KEY)).etag);
    for (let life = 0; life < 10; life++) {
      // Each life is written like the one before it, in all but its etags.
      await backend.create(KEY, "same", { meta: { ...HOUR, createdAt: 1 } });
      await see();
      await backend.put(KEY, "same", HOUR);
      await see();
      await backend.putIfVersion(KEY, "same", 2, HOUR);
      await see();
      await backend.delete(KEY);
    }
    assertEquals(new Set(seen).size, 30);
  }, TWO);

  test("swap_by_version_and_etag_succeeds_on_match", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    for (const version of [2, 3, 4]) {
      const { data: _, ...expected } = await backend.get(KEY);
      const written = await backend.putIfVersion(KEY, "x", expected, HOUR);
      assertEquals(written, version);
    }
    // A record as it was read is what is expected.
    const read = await backend.get(KEY);
    assertEquals(await backend.putIfVersion(KEY, "last", read, HOUR), 5);
  });

  test("swap_without_an_etag_compares_the_version_alone", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    const any: ExpectedRecord[] = [
      1,
      { version: 2 },
      { version: 3, etag: undefined },
      { version: 4, etag: "" },
    ];
    for (const expected of any) {
      await backend.putIfVersion(KEY, "next", expected, HOUR);
    }
    assertEquals((await backend.get(KEY)).version, 5);
    await refused(backend, { version: 4 }, 5);
  });

  test("swap_by_another_etag_is_refused_at_the_same_version", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    const read = await backend.get(KEY);
    await refused(backend, { version: 1, etag: newId() }, 1);
    // The etag of this record, but of another version.
    await backend.put(KEY, "two", HOUR);
    await refused(backend, { version: 2, etag: read.etag }, 2);
    await refused(backend, read, 2);
  });

  test("record_held_of_an_earlier_life_is_refused", async (backend, other) => {
    await backend.put(KEY, "old 1", HOUR);
    const first = await backend.get(KEY);
    await backend.put(KEY, "old 2", HOUR);
    const second = await backend.get(KEY);
    await backend.delete(KEY);
    await refused(other, first, 0);
    await other.create(KEY, "new 1", { meta: HOUR });
    await refused(backend, first, 1);
    await other.put(KEY, "new 2", HOUR);
    await refused(backend, second, 2);
    assertEquals((await backend.get(KEY)).data, "new 2");
  }, TWO);

  test("record_held_of_an_expired_life_is_refused", async (backend) => {
    const etag = newId();
    const soon = { expiresAt: Date.now() + 50, operationId: etag };
    await backend.put(KEY, "old", soon);
    await untilGone(backend, KEY);
    await refused(backend, { version: 1, etag }, 0);
    await backend.put(KEY, "new", HOUR);
    await refused(backend, { version: 1, etag }, 1);
  });

  test("one_of_32_swaps_of_one_read_record_wins", async (backend, _, pick) => {
    await backend.put(KEY, "start", HOUR);
    for (let round = 1; round <= 10; round++) {
      const read = await backend.get(KEY);
      const { turn, losses } = await onlyWinner(
        Array.from(
          { length: 32 },
          (_, n) => pick(n).putIfVersion(KEY, `${round}/${n}`, read, HOUR),
        ),
      );
      for (const error of losses) assert(error instanceof VersionConflictError);
      assertEquals((await pick(3).get(KEY)).data, `${round}/${turn}`);
    }
  }, { instances: 4 });

  test("delete_of_the_expected_record_returns_true", async (backend) => {
    for (const pick of ["record", "version"] as const) {
      await backend.put(KEY, "one", HOUR);
      await backend.put(KEY, "two", HOUR);
      const expected = pick === "record" ? await backend.get(KEY) : 2;
      assertEquals(await backend.delete(KEY, { expected }), true);
      // No other record is stored: there is no conflict.
      assertEquals(await backend.delete(KEY, { expected }), false);
      assertEquals(await backend.listByPrefix(PREFIX), []);
    }
  });

  test("delete_of_another_record_is_refused_and_changes_nothing", async (backend) => {
    await backend.put(KEY, "old", HOUR);
    const old = await backend.get(KEY);
    await backend.delete(KEY);
    await backend.put(KEY, "new", HOUR);
    const stored = await backend.get(KEY);
    const others: [ExpectedRecord, number][] = [[old, 1], [2, 2], [
      { version: 2, etag: stored.etag },
      2,
    ]];
    for (const [expected, version] of others) {
      const error = await assertRejects(
        () => backend.delete(KEY, { expected }),
        VersionConflictError,
      );
      assertEquals(
        [error.key, error.expected, error.actual],
        [KEY, version, 1],
      );
      assertEquals(await backend.get(KEY), stored);
    }
  });

  test("malformed_expectations_are_refused_and_change_nothing", async (backend) => {
    const malformed: [Anything, typeof RangeError | typeof TypeError][] = [
      [0, RangeError],
      [1.5, RangeError],
      ["1", TypeError],
      [null, TypeError],
      [{}, TypeError],
      [{ version: 0 }, RangeError],
      [{ version: "1" }, TypeError],
      [{ version: 1, etag: "short" }, RangeError],
      [{ version: 1, etag: "no:such:characters" }, RangeError],
      [{ version: 1, etag: 12345678 }, RangeError],
    ];
    await unchanged(backend, async () => {
      for (const [expected, type] of malformed) {
        await assertRejects(
          () => backend.putIfVersion(nthKey(1), "x", expected, HOUR),
          type,
        );
        await assertRejects(
          () => backend.delete(nthKey(1), { expected }),
          type,
        );
      }
    });
  });
}

/** A swap that must lose, and change nothing. */
async function refused(
  backend: StorageBackend,
  expected: { version: number; etag?: string | undefined },
  actual: number,
): Promise<void> {
  const before = await backend.listByPrefix(PREFIX);
  const error = await assertRejects(
    () => backend.putIfVersion(KEY, "lost", expected, HOUR),
    VersionConflictError,
  );
  assertEquals(
    [error.key, error.expected, error.actual],
    [KEY, expected.version, actual],
  );
  assertEquals(await backend.listByPrefix(PREFIX), before);
}
