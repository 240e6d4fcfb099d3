/**
 * What values are, in the words of the errors about them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { isPlainObject, kindOf } from "../../src/task/value_kind.ts";

class Money {}

const KINDS: readonly [unknown, string][] = [
  [undefined, "undefined"],
  [null, "null"],
  [5, "a number"],
  [1n, "a bigint"],
  ["text", "a string"],
  [true, "a boolean"],
  [Symbol("s"), "a symbol"],
  [() => 1, "a function"],
  [[], "an array"],
  [{}, "an object"],
  [Object.create(null), "an object"],
  [Promise.resolve(), "a promise"],
  [{ then() {} }, "a promise"],
  [new Map(), "an instance of Map"],
  [new Money(), "an instance of Money"],
  [new (class {})(), "an instance of a class"],
  [
    Object.create({ constructor: { name: "x".repeat(61) } }),
    "an instance of a class",
  ],
];

Deno.test("kindOf() names what a value is", () => {
  for (const [value, kind] of KINDS) assertEquals(kindOf(value), kind);
});

Deno.test("isPlainObject() takes objects of no class, of any realm", async () => {
  for (const [value, kind] of KINDS) {
    const isPlain = kind === "an object" ||
      (typeof value === "object" && value !== null && "then" in value &&
        !(value instanceof Promise));
    assertEquals(isPlainObject(value), isPlain, kind);
  }
  const { runInNewContext } = await import("node:vm");
  assertEquals(isPlainObject(runInNewContext("({ a: 1 })")), true);
  assertEquals(isPlainObject(runInNewContext("new (class A {})()")), false);
  assertEquals(isPlainObject(runInNewContext("[]")), false);
});
