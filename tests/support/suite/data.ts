/**
 * Data that cannot be stored as it is: refused, never silently altered.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CapacityExceededError, InvalidDataError } from "../../../mod.ts";
import { unchanged, writesOf } from "./calls.ts";
import { type ContractTest, HOUR, KEY } from "./env.ts";

const LONE_SURROGATES = [
  "\ud800",
  "a\udfffb",
  "\ude00\ud83d",
  '{"a":"\ud83d"}',
];

export function dataTests(test: ContractTest): void {
  test("lone_surrogates_are_refused_and_change_nothing", async (backend) => {
    await unchanged(backend, async () => {
      for (const data of LONE_SURROGATES) {
        for (const call of writesOf(backend, data, HOUR)) {
          const error = await assertRejects(call, InvalidDataError);
          assertEquals(error.code, "invalid_data");
        }
      }
    });
  });

  test("data_that_is_no_string_is_refused_and_changes_nothing", async (backend) => {
    await unchanged(backend, async () => {
      for (const data of [undefined, null, 1, {}, new Uint8Array(1)]) {
        for (const call of writesOf(backend, data, HOUR)) {
          await assertRejects(call, TypeError);
        }
      }
    });
  });

  test("oversize_data_is_refused_and_changes_nothing", async (backend) => {
    // The limit counts bytes of UTF-8: 100 of them hold 25 emoji.
    for (
      const [data, bytes] of [
        ["x".repeat(101), 101],
        ["🦕".repeat(25) + "x", 101],
        ["é".repeat(51), 102],
      ] as const
    ) {
      await unchanged(backend, async () => {
        for (const call of writesOf(backend, data, HOUR)) {
          const error = await assertRejects(call, CapacityExceededError);
          assertEquals(
            [error.unit, error.limit, error.actual],
            ["bytes", 100, bytes],
          );
        }
      });
    }
    for (const data of ["x".repeat(100), "🦕".repeat(25), "é".repeat(50)]) {
      await backend.put(KEY, data, HOUR);
      assertEquals((await backend.get(KEY)).data, data);
    }
  }, { maxRecordBytes: 100 });

  test("data_over_8_mib_is_refused_by_default", async (backend) => {
    const limit = 8 * 1024 * 1024;
    await assertRejects(
      () => backend.put(KEY, "x".repeat(limit + 1), HOUR),
      CapacityExceededError,
      `${limit}`,
    );
    const data = "x".repeat(limit);
    assertEquals(await backend.put(KEY, data, HOUR), 1);
    assert((await backend.get(KEY)).data === data);
  });
}
