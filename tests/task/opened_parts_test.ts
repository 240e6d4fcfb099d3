/**
 * What a store has opened is returned for the very same sealed part alone, and
 * takes bounded memory.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { OpenedParts } from "../../src/task/opened_parts.ts";

const PART = { sealed: "sealed", context: "context", secret: "secret" };

Deno.test("get() knows a part by all of its text and its context", () => {
  const parts = new OpenedParts();
  parts.set("t-1", PART);
  assertEquals(parts.get("t-1", "sealed", "context"), "secret");
  assertEquals(parts.get("t-1", "sealed", "Context"), undefined);
  assertEquals(parts.get("t-1", "Sealed", "context"), undefined);
  assertEquals(parts.get("t-2", "sealed", "context"), undefined);
  parts.set("t-1", { ...PART, sealed: "later" });
  assertEquals(parts.get("t-1", "sealed", "context"), undefined);
  assertEquals(parts.get("t-1", "later", "context"), "secret");
});

Deno.test("set() drops the parts used longest ago, and keeps none too large", () => {
  const parts = new OpenedParts(100);
  const part = { sealed: "x".repeat(10), context: "", secret: "y".repeat(10) };
  const has = (n: number) => parts.get(`t-${n}`, part.sealed, "") !== undefined;
  for (let n = 0; n < 5; n++) parts.set(`t-${n}`, part);
  assertEquals([0, 1, 2, 3, 4].map(has), Array(5).fill(true));
  assertEquals(has(0), true); // t-1 is the one used longest ago now
  parts.set("t-5", part);
  assertEquals([0, 1, 2, 3, 4, 5].map(has), [
    true,
    false,
    true,
    true,
    true,
    true,
  ]);
  // The same records again take no further room.
  for (let n = 0; n < 20; n++) parts.set("t-5", part);
  assertEquals([0, 2, 3, 4].map(has), Array(4).fill(true));
  const large = { ...part, secret: "z".repeat(16) };
  parts.set("t-0", large);
  assertEquals(parts.get("t-0", large.sealed, ""), undefined);
  assertEquals([2, 3, 4, 5].map(has), Array(4).fill(true));
});
