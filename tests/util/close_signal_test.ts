import { assertEquals, assertThrows } from "@std/assert";
import { CloseSignal } from "../../src/util/close_signal.ts";

Deno.test("CloseSignal calls back every listener once, with the first reason", () => {
  const closed = new CloseSignal();
  const reasons: unknown[] = [];
  closed.subscribe((reason) => reasons.push(reason));
  closed.subscribe((reason) => reasons.push(reason));
  closed.throwIfClosed();
  assertEquals(closed.isClosed, false);
  const first = new RangeError("first");
  closed.end(first);
  closed.end(new RangeError("second"));
  assertEquals(closed.isClosed, true);
  assertEquals(reasons, [first, first]);
  assertThrows(() => closed.throwIfClosed(), RangeError, "first");
});

Deno.test("CloseSignal calls back at once when it has ended", () => {
  const closed = new CloseSignal();
  closed.end("over");
  const reasons: unknown[] = [];
  closed.subscribe((reason) => reasons.push(reason));
  assertEquals(reasons, ["over"]);
});

Deno.test("CloseSignal does not call back a listener that was released", () => {
  const closed = new CloseSignal();
  const reasons: string[] = [];
  const release = closed.subscribe(() => reasons.push("released before"));
  const second = { release: () => {} };
  closed.subscribe(() => {
    reasons.push("called");
    second.release();
  });
  second.release = closed.subscribe(() => reasons.push("called too"));
  release();
  closed.end("over");
  // The listeners of an end are those there were when it came.
  assertEquals(reasons, ["called", "called too"]);
});
