/**
 * The trace of named writes: long enough, and bounded.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { OperationTrace } from "../../src/memory/operation_trace.ts";

const DONE = { version: 1, fence: 0 };

Deno.test("operation trace keeps a write for a minute, and not for three", () => {
  const trace = new OperationTrace();
  for (let seconds = 0; seconds <= 300; seconds++) {
    trace.add("a:t", `write-${seconds}`, DONE, seconds * 1000);
    for (const ageSeconds of [0, 30, 60]) {
      const id = `write-${Math.max(0, seconds - ageSeconds)}`;
      assertEquals(trace.find("a:t", id), DONE, `${id} at ${seconds} s`);
    }
    if (seconds >= 180) {
      assertEquals(trace.find("a:t", `write-${seconds - 180}`), undefined);
    }
  }
});

Deno.test("operation trace forgets the oldest writes when there are too many", () => {
  const trace = new OperationTrace();
  for (let n = 0; n <= 200_000; n++) trace.add("a:t", `write-${n}`, DONE, 0);
  assertEquals(trace.find("a:t", "write-0"), undefined);
  assertEquals(trace.find("a:t", "write-100001"), DONE);
});

Deno.test("operation trace tells the same name under two keys apart", () => {
  const trace = new OperationTrace();
  trace.add("a:t", "same-name", DONE, 0);
  assertEquals(trace.find("a:u", "same-name"), undefined);
});
