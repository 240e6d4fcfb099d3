/**
 * How watches end, sleep and are left: nothing holds them up, and nothing of
 * them stays. The engine behind them is a fake of our own interface.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { WatchHub } from "../../src/storage/watch.ts";
import { CloseSignal } from "../../src/util/close_signal.ts";
import { deadline, waitUntil } from "../support/wait.ts";
import { FakeEngine, KEY, later, turn, Watch } from "./fake_engine.ts";

/** Something that never happens. */
const NEVER = new Promise<never>(() => {});

Deno.test("hub: return() ends a pending step at once", async () => {
  for (const stuck of ["subscribing", "reading", "sleeping"] as const) {
    const engine = new FakeEngine();
    if (stuck !== "sleeping") engine[stuck] = NEVER;
    const watch = engine.watch();
    if (stuck === "sleeping") assertEquals(await watch.data(), "one");
    assert(!await watch.isSettled());
    await deadline("the return", watch.return(), 50);
    assertEquals(await watch.data(), undefined);
    assertEquals(await watch.data(), undefined);
    assertEquals([engine.hub.size, engine.endedSubscriptions], [0, 1]);
  }
});

Deno.test("hub: an abort and a close end a pending step at once", async () => {
  for (const stuck of ["subscribing", "reading", "sleeping"] as const) {
    for (const how of ["abort", "close"] as const) {
      const engine = new FakeEngine();
      if (stuck !== "sleeping") engine[stuck] = NEVER;
      const aborted = new AbortController();
      const watch = engine.watch(aborted.signal);
      if (stuck === "sleeping") assertEquals(await watch.data(), "one");
      assert(!await watch.isSettled());
      const reason = new RangeError(how);
      if (how === "abort") aborted.abort(reason);
      else engine.closed.end(reason);
      const start = performance.now();
      const error = await assertRejects(() => watch.next(), RangeError);
      assert(error === reason && performance.now() - start < 50);
      assertEquals(await watch.data(), undefined);
      assertEquals([engine.hub.size, engine.endedSubscriptions], [0, 1]);
    }
  }
});

Deno.test("hub: a watch leaves no listener on its signal", async () => {
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
  const engine = new FakeEngine();
  const watches = [engine.watch(signal), engine.watch(signal)];
  for (const watch of watches) assertEquals(await watch.data(), "one");
  assertEquals(listeners, 2);
  await watches[0]!.return();
  engine.writing().done("deleted");
  assertEquals(await watches[1]!.data(), undefined);
  assertEquals(listeners, 0);
});

Deno.test("hub: a watch begun after its end throws the reason", async () => {
  const engine = new FakeEngine();
  const aborted = engine.watch(AbortSignal.abort(new RangeError("aborted")));
  await assertRejects(() => aborted.next(), RangeError, "aborted");
  engine.closed.end(new RangeError("closed"));
  await assertRejects(() => engine.watch().next(), RangeError, "closed");
  const { closed } = engine;
  const late = new WatchHub({ closed: [closed], read: () => undefined });
  const watch = new Watch(late.watch(KEY));
  await assertRejects(() => watch.next(), RangeError, "closed");
  assertEquals(engine.subscriptions, 0);
});

Deno.test("hub: it is not kept by the connection that outlives it", () => {
  class Counted extends CloseSignal {
    listeners = 0;
    override subscribe(listener: (reason: unknown) => void): () => void {
      this.listeners++;
      const release = super.subscribe(listener);
      return () => (this.listeners--, release());
    }
  }
  const [closed, connection] = [new Counted(), new Counted()];
  new WatchHub({ closed: [closed, connection], read: () => undefined });
  assertEquals(connection.listeners, 1);
  closed.end(new Error("closed"));
  assertEquals(connection.listeners, 0);
});

Deno.test("hub: a watch that is never begun costs nothing", () => {
  const engine = new FakeEngine();
  engine.watch();
  assertEquals([engine.hub.size, engine.subscriptions], [0, 0]);
});

Deno.test("hub: a watch that comes while the last one leaves is served", async () => {
  const engine = new FakeEngine();
  for (let round = 1; round <= 10; round++) {
    const watch = engine.watch();
    assertEquals((await watch.next())?.version, round);
    const leaving = watch.return();
    const next = engine.watch();
    assertEquals((await next.next())?.version, round);
    engine.write("next");
    assertEquals((await next.next())?.version, round + 1);
    await Promise.all([leaving, next.return()]);
  }
  assertEquals(engine.subscriptions, engine.endedSubscriptions);
});

Deno.test("hub: failed subscriptions and reads are thrown and leave nothing", async () => {
  const engine = new FakeEngine();
  const failed = Promise.reject(new RangeError("no"));
  failed.catch(() => {});
  engine.subscribing = failed;
  for (let n = 0; n < 1000; n++) {
    await assertRejects(() => engine.watch().next(), RangeError, "no");
  }
  assertEquals([engine.hub.size, engine.endedSubscriptions], [0, 1000]);
  engine.subscribing = Promise.resolve();
  engine.reading = failed;
  const watches = [engine.watch(), engine.watch()];
  for (const watch of watches) {
    await assertRejects(() => watch.next(), RangeError, "no");
  }
  assertEquals(engine.hub.size, 0);
  const broken = new FakeEngine({
    subscribe: () => {
      throw new RangeError("not now");
    },
  });
  await assertRejects(() => broken.watch().next(), RangeError, "not now");
  assertEquals(broken.hub.size, 0);
});

Deno.test("hub: a slow reader gets the last record, and then the end", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.ownWrite("two");
  engine.ownWrite("three");
  engine.writing().done("deleted");
  assertEquals(await watch.data(), "three");
  assertEquals(await watch.data(), undefined);
});

Deno.test("hub: a slow reader does not get an expired record", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.ownWrite("two");
  assertEquals(await watch.data(), "two");
  engine.writing().done(engine.store("short", { remainingMs: 10_000 }));
  engine.writing().done("deleted");
  assertEquals(engine.hub.size, 0);
  await later(10_001, async () => {
    assertEquals(await watch.data(), undefined);
  });
});

Deno.test("hub: steps that are asked for ahead are answered in order", async () => {
  const engine = new FakeEngine();
  const { iterator } = engine.watch();
  const steps = [iterator.next(), iterator.next(), iterator.next()];
  assertEquals((await steps[0]!).value?.version, 1);
  engine.write("two");
  assertEquals((await steps[1]!).value?.version, 2);
  await iterator.return!();
  assertEquals(await steps[2], { done: true, value: undefined });
});

Deno.test("hub: it sleeps until the expiry, or the read for safety", async () => {
  const engine = new FakeEngine({ refreshMs: 50 });
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.store("without an event");
  assertEquals(await watch.data(), "without an event");
  await watch.return();
  const expiring = new FakeEngine();
  expiring.store("short", { remainingMs: 50 });
  const short = expiring.watch();
  assertEquals(await short.data(), "short");
  expiring.record = undefined;
  assertEquals(await short.data(), undefined);
});

Deno.test("hub: an expiry that was put off is not the end", async () => {
  const engine = new FakeEngine();
  engine.store("short", { remainingMs: 20 });
  const watch = engine.watch();
  assertEquals(await watch.data(), "short");
  engine.store("long", { remainingMs: 1e10 }); // longer than a timer can be
  await waitUntil("the read at the first expiry", () => engine.reads === 2);
  assertEquals(await watch.data(), "long");
  const reads = engine.reads;
  await turn();
  assertEquals(engine.reads, reads);
  await watch.return();
});
