import { assert, assertEquals } from "@std/assert";
import { Notifier } from "../../src/util/notifier.ts";

Deno.test("Notifier.wait() is woken at once, and leaves no timer", async () => {
  const notifier = new Notifier();
  const waiting = notifier.wait(60_000);
  notifier.notify();
  assertEquals(await waiting, true);
});

Deno.test("Notifier.wait() takes what came before, several as one", async () => {
  const notifier = new Notifier();
  notifier.notify();
  notifier.notify();
  assertEquals(await notifier.wait(), true);
  assertEquals(await notifier.wait(1), false);
});

Deno.test("Notifier.wait() ends when the time is over", async () => {
  const start = performance.now();
  assertEquals(await new Notifier().wait(20), false);
  assert(performance.now() - start >= 19);
});
