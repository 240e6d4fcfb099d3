import { assert, assertRejects } from "@std/assert";
import { delay } from "../../src/util/delay.ts";

Deno.test("delay() waits", async () => {
  const start = performance.now();
  await delay(20);
  assert(performance.now() - start >= 19);
});

Deno.test("delay() ends with the reason of its signal, and leaves no timer", async () => {
  const aborted = new AbortController();
  const waiting = delay(60_000, aborted.signal);
  aborted.abort(new RangeError("enough"));
  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(() => delay(60_000, aborted.signal), RangeError);
});

Deno.test("delay() leaves no listener on its signal", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    listeners++;
    Reflect.apply(addEventListener, signal, args);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    listeners--;
    Reflect.apply(removeEventListener, signal, args);
  };
  await delay(1, signal);
  assert(listeners === 0, `${listeners} listeners`);
});
