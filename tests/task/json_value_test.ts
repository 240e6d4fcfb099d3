/**
 * `toJsonValue` gives what reading a value back from JSON would give.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { toJsonValue } from "../../src/task/json_value.ts";

/** Anything a caller may hand over, with what JSON drops or changes. */
const anything = fc.anything({
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  values: [
    fc.boolean(),
    fc.integer(),
    fc.double(),
    fc.string({ unit: "binary" }),
    fc.constantFrom(null, undefined, NaN, -0, "half a \ud83d pair"),
    fc.func(fc.nat()),
    fc.constant(Symbol("x")),
  ],
  key: fc.oneof(
    fc.string(),
    fc.constantFrom("__proto__", "constructor", "1", "0"),
  ),
});

Deno.test("toJsonValue() gives what reading from JSON gives", () => {
  fc.assert(
    fc.property(anything, (value) => {
      assertEquals(toJsonValue(value), throughText(value));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("toJsonValue() asks an object how it wants to be written", () => {
  const money = { amount: 7, toJSON: () => "7 EUR" };
  const nothing = { toJSON: () => undefined };
  const value = { money, list: [money, nothing], nothing };
  assertEquals(toJsonValue(value), { money: "7 EUR", list: ["7 EUR", null] });
  assertEquals(toJsonValue(nothing), undefined);
});

Deno.test("toJsonValue() copies: the caller's object may change later", () => {
  const value = { list: [{ n: 1 }] };
  const copy = toJsonValue(value);
  value.list[0]!.n = 2;
  value.list.push({ n: 3 });
  assertEquals(copy, { list: [{ n: 1 }] });
});

Deno.test("toJsonValue() refuses what JSON cannot say", () => {
  const ring: unknown[] = [];
  ring.push({ ring });
  assertThrows(() => toJsonValue(ring), TypeError);
  assertThrows(() => toJsonValue({ n: 1n }), TypeError);
});

Deno.test("toJsonValue() takes values of any depth that JSON takes", () => {
  let value: unknown = "deep";
  for (let n = 0; n < 1000; n++) value = n % 2 === 0 ? [value] : { value };
  assertEquals(JSON.stringify(toJsonValue(value)), JSON.stringify(value));
});

function throughText(value: unknown): unknown {
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? undefined : JSON.parse(text);
}
