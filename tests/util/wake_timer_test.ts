import { assert, assertEquals } from "@std/assert";
import { WakeTimer } from "../../src/util/wake_timer.ts";
import { deadline } from "../support/wait.ts";

/** A timer, its moment in so many milliseconds, and when it was due. */
function started(inMs: number) {
  const { promise, resolve } = Promise.withResolvers<void>();
  // The timer alone does not keep the test alive.
  const due = () => deadline("the moment", promise, 2000);
  const start = performance.now();
  const state = { momentMs: start + inMs, calls: 0, start, due };
  const timer = new WakeTimer(() => state.momentMs, () => {
    state.calls++;
    resolve();
  });
  timer.arm();
  return { timer, state };
}

Deno.test("WakeTimer calls back once when its moment has come", async () => {
  const { timer, state } = started(20);
  await state.due();
  assert(performance.now() >= state.momentMs);
  assertEquals(state.calls, 1);
  timer.stop();
});

Deno.test("WakeTimer follows a moment that is put off", async () => {
  const { timer, state } = started(5);
  state.momentMs += 30;
  timer.arm();
  await state.due();
  assert(performance.now() >= state.start + 35);
  assertEquals(state.calls, 1);
  timer.stop();
});

Deno.test("WakeTimer follows a moment that comes sooner", async () => {
  const { timer, state } = started(1e12); // longer than a timer can wait
  state.momentMs = state.start + 10;
  timer.arm();
  await state.due();
  assertEquals(state.calls, 1);
  timer.stop();
});

Deno.test("WakeTimer without a moment, or stopped, does nothing", async () => {
  // A timer left behind is found by the sanitizer.
  started(Infinity);
  const { timer, state } = started(5);
  timer.stop();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(state.calls, 0);
});
