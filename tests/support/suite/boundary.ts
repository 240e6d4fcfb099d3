/**
 * Bad input: a clear error, of the right class, and nothing changed.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  BackendError,
  InvalidCursorError,
  InvalidDataError,
  InvalidKeyError,
  NotFoundError,
} from "../../../mod.ts";
import { type Anything, callsOf, unchanged, writesOf } from "./calls.ts";
import { type ContractTest, HOUR, KEY, nthKey, PREFIX } from "./env.ts";

const BAD_KEYS: Anything[] = [
  "",
  ":",
  "alice",
  "alice:",
  ":t-1",
  "a{b:t-1",
  "a}b:t-1",
  "{a}:t-1",
  "100%:t-1",
  "a%3ab:t-1",
  "a%41:t-1",
  "alice:\ud800",
  "\udfff:t-1",
  undefined,
  null,
  7,
  {},
];

const BAD_PREFIXES: Anything[] = [
  "",
  ":",
  "alice",
  "alice:t-1",
  "alice::",
  "alice:t:",
  "a*",
  "{a}:",
  "%zz:",
  "\ud800:",
  undefined,
  null,
  7,
];

const BAD_NUMBERS = [-1, 0.5, 1.5, NaN, Infinity, -Infinity, 2 ** 53];
const NOT_NUMBERS: Anything[] = ["1", null, {}, true, 1n];

export function boundaryTests(test: ContractTest): void {
  test("malformed_keys_are_refused_and_change_nothing", async (backend) => {
    await unchanged(backend, async () => {
      for (const key of BAD_KEYS) {
        for (const call of callsOf(backend, key)) {
          const error = await assertRejects(call, InvalidKeyError);
          assertEquals(error.code, "invalid_key");
        }
      }
    });
  });

  test("malformed_prefixes_are_refused", async (backend) => {
    for (const prefix of BAD_PREFIXES) {
      await assertRejects(() => backend.listByPrefix(prefix), InvalidKeyError);
      await assertRejects(() => backend.listPage(prefix), InvalidKeyError);
    }
  });

  test("malformed_versions_are_refused_and_change_nothing", async (backend) => {
    await unchanged(backend, async () => {
      for (const version of [0, ...BAD_NUMBERS]) {
        await assertRejects(
          () => backend.putIfVersion(KEY, "x", version, HOUR),
          RangeError,
          `${version}`,
        );
      }
      for (const version of [undefined, ...NOT_NUMBERS]) {
        await assertRejects(
          () => backend.putIfVersion(KEY, "x", version, HOUR),
          TypeError,
        );
      }
    });
  });

  test("malformed_times_are_refused_and_change_nothing", async (backend) => {
    await unchanged(backend, async () => {
      for (const time of [8.64e15 + 1, ...BAD_NUMBERS, ...NOT_NUMBERS]) {
        for (const field of ["expiresAt", "createdAt"]) {
          // A creation time may have a fraction.
          if (field === "createdAt" && (time === 0.5 || time === 1.5)) continue;
          for (const call of writesOf(backend, "x", { [field]: time })) {
            const error = await assertRejects(call, InvalidDataError);
            assertStringIncludes(error.message, field);
          }
        }
      }
    });
  });

  test("malformed_times_in_the_json_are_refused_and_change_nothing", async (backend) => {
    const times = [
      "tomorrow",
      "",
      "2026-13-01T00:00:00Z",
      "2026-01-01",
      "2026-01-01T00:00:00",
      "1767225600",
      1767225600,
      true,
      {},
    ];
    await unchanged(backend, async () => {
      for (const time of times) {
        const texts = [{ expiresAt: time }, { task: { createdAt: time } }];
        for (const text of texts.map((value) => JSON.stringify(value))) {
          for (const call of writesOf(backend, text)) {
            await assertRejects(call, InvalidDataError);
          }
        }
      }
    });
  });

  test("malformed_limits_are_refused_and_change_nothing", async (backend) => {
    await unchanged(backend, async () => {
      for (const limit of [0, 1001, ...BAD_NUMBERS]) {
        await assertRejects(
          () => backend.listPage(PREFIX, { limit }),
          RangeError,
          `${limit}`,
        );
      }
      for (const maxRecords of BAD_NUMBERS) {
        await assertRejects(
          () => backend.create(nthKey(9), "x", { meta: HOUR, maxRecords }),
          RangeError,
          `${maxRecords}`,
        );
      }
      for (const value of NOT_NUMBERS) {
        await assertRejects(
          () => backend.listPage(PREFIX, { limit: value }),
          TypeError,
        );
        await assertRejects(
          () =>
            backend.create(nthKey(9), "x", { meta: HOUR, maxRecords: value }),
          TypeError,
        );
      }
      for (const order of ["", "NEWEST", "asc", 1, null] as Anything[]) {
        await assertRejects(
          () => backend.listPage(PREFIX, { order }),
          RangeError,
        );
      }
    });
  });

  test("malformed_cursors_are_refused", async (backend) => {
    for (const n of [1, 2, 3]) await backend.put(nthKey(n), "x", HOUR);
    const { nextCursor = "" } = await backend.listPage(PREFIX, { limit: 1 });
    assert(nextCursor !== "");
    const cursors: Anything[] = [
      "",
      " ",
      "0",
      "cursor",
      nextCursor.slice(1),
      `${nextCursor}=`,
      ` ${nextCursor}`,
      `${nextCursor}\n`,
      nextCursor.slice(0, 1),
      "🦕",
      "\ud800",
      "A".repeat(100_000),
      btoa("n-1:t"),
      btoa("nNaN:t"),
      btoa("n1e3:t"),
      btoa("n1e-:t"),
      btoa("n1e-7e-7:ta"),
      btoa("n0x1:t"),
      btoa("n(1:t"),
      btoa("n12:"),
      null,
      7,
      {},
    ];
    for (const cursor of cursors) {
      const error = await assertRejects(
        () => backend.listPage(PREFIX, { cursor }),
        InvalidCursorError,
      );
      assertEquals(error.code, "invalid_cursor");
    }
    // A cursor of one order would repeat and skip in the other.
    await assertRejects(
      () => backend.listPage(PREFIX, { cursor: nextCursor, order: "oldest" }),
      InvalidCursorError,
    );
  });

  test("closed_backend_refuses_every_call", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    await backend.close();
    for (
      const call of [
        ...callsOf(backend, KEY),
        () => backend.listByPrefix(PREFIX),
        () => backend.listPage(PREFIX),
        () => backend.cleanupExpired(),
      ]
    ) {
      const error = await assertRejects(call, BackendError, "closed");
      assertEquals([error.code, error.outcome], ["backend", "not_applied"]);
    }
    await backend.close();
    await backend[Symbol.asyncDispose]();
  });

  test("errors_are_told_apart_by_class_and_code", async (backend) => {
    const error = await assertRejects(() => backend.get(KEY), NotFoundError);
    assertInstanceOf(error, Error);
    assertEquals(error.name, "NotFoundError");
    assertStringIncludes(error.message, KEY);
    assert(!(error instanceof BackendError));
  });
}
