/**
 * What a `WatchHub` shares between watches, and which reads it saves. The
 * engine behind it is a fake of our own interface.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { NotFoundError } from "../../src/storage/errors.ts";
import { WatchHub } from "../../src/storage/watch.ts";
import { CloseSignal } from "../../src/util/close_signal.ts";
import { FakeEngine, gate, KEY, later, turn, Watch } from "./fake_engine.ts";

Deno.test("hub: two watches of a key share a subscription and a read", async () => {
  const engine = new FakeEngine();
  const { promise, open } = gate();
  engine.subscribing = promise;
  const watches = [engine.watch(), engine.watch()];
  const joined = watches.map((watch) => watch.data());
  open();
  const first = await Promise.all(joined);
  assertEquals(first, ["one", "one"]);
  assertEquals([engine.subscriptions, engine.reads], [1, 1]);
  engine.write("two");
  const second = await Promise.all(watches.map((watch) => watch.data()));
  assertEquals(second, ["two", "two"]);
  assertEquals([engine.subscriptions, engine.reads], [1, 2]);
  await watches[0]!.return();
  assertEquals([engine.hub.size, engine.endedSubscriptions], [1, 0]);
  await watches[1]!.return();
  assertEquals([engine.hub.size, engine.endedSubscriptions], [0, 1]);
});

Deno.test("hub: a watch that joins begins with a read of its own", async () => {
  const engine = new FakeEngine();
  const first = engine.watch();
  assertEquals(await first.data(), "one");
  engine.store("two"); // by a writer that makes no events
  const second = engine.watch();
  assertEquals(await second.data(), "two");
  assertEquals(await first.data(), "two");
  assertEquals([engine.subscriptions, engine.reads], [1, 2]);
  await Promise.all([first.return(), second.return()]);
});

Deno.test("hub: a read begun before a watch joined does not serve it", async () => {
  const engine = new FakeEngine();
  const { promise, open } = gate();
  engine.reading = promise;
  const first = engine.watch();
  assert(!await first.isSettled());
  assertEquals(engine.reads, 1);
  engine.store("two");
  const second = engine.watch();
  assert(!await second.isSettled());
  open();
  assertEquals(await first.data(), "one");
  assertEquals(await second.data(), "two");
  assertEquals(engine.reads, 2);
  await Promise.all([first.return(), second.return()]);
});

Deno.test("hub: with reuseMs a watch begins with what its feed has", async () => {
  const engine = new FakeEngine({ reuseMs: 500 });
  const first = engine.watch();
  assertEquals(await first.data(), "one");
  const second = engine.watch();
  assertEquals(await second.data(), "one");
  assertEquals(engine.reads, 1);
  await later(501, async () => {
    const third = engine.watch();
    assertEquals(await third.data(), "one");
    assertEquals(engine.reads, 2);
    await third.return();
  });
  await Promise.all([first.return(), second.return()]);
});

Deno.test("hub: nothing is reused that lacks a change", async () => {
  const engine = new FakeEngine({ reuseMs: 500 });
  const first = engine.watch();
  assertEquals(await first.data(), "one");
  const { promise, open } = gate();
  engine.reading = promise;
  engine.write("two"); // read, but the read is not answered yet
  const second = engine.watch();
  assert(!await second.isSettled());
  open();
  assertEquals(await second.data(), "two");
  // A read of the same side has seen more than the feed.
  engine.hub.saw(KEY, engine.store("three"));
  assertEquals(await engine.watch().data(), "three");
  engine.store("four");
  engine.hub.saw(KEY, 4); // a conflict names the version alone
  assertEquals(await engine.watch().data(), "four");
  engine.closed.end(new Error("closed"));
});

Deno.test("hub: nothing is reused while an event waits for an own write", async () => {
  const engine = new FakeEngine({ reuseMs: 500 });
  const first = engine.watch();
  assertEquals(await first.data(), "one");
  const own = engine.writing();
  engine.write("two");
  const second = engine.watch();
  assert(!await second.isSettled());
  own.done();
  assertEquals(await second.data(), "two");
  await Promise.all([first.return(), second.return()]);
});

Deno.test("hub: an expired record is not reused", async () => {
  const engine = new FakeEngine({ reuseMs: 60_000 });
  engine.store("short", { remainingMs: 10_000 });
  const first = engine.watch();
  assertEquals(await first.data(), "short");
  await later(10_001, async () => {
    engine.record = undefined;
    await assertRejects(() => engine.watch().data(), NotFoundError);
  });
  assertEquals(await first.data(), undefined);
});

Deno.test("hub: an own write needs no read", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.ownWrite("event before answer");
  assertEquals(await watch.data(), "event before answer");
  const own = engine.writing();
  own.done(engine.store("event after answer"));
  assertEquals(await watch.data(), "event after answer");
  engine.emit(3);
  await turn();
  assertEquals(engine.reads, 1);
  await watch.return();
});

Deno.test("hub: a read waits until an own write is done", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  const own = engine.writing();
  const mine = engine.store("mine");
  engine.write("by another");
  assert(!await watch.isSettled());
  assertEquals(engine.reads, 1);
  own.done(mine);
  // The other's write is newer, and known by its event alone.
  assertEquals(await watch.data(), "mine");
  assertEquals(await watch.data(), "by another");
  assertEquals(engine.reads, 2);
  await watch.return();
});

Deno.test("hub: after a failed own write an event is read, and only then", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.writing().done();
  await turn();
  assertEquals(engine.reads, 1);
  const own = engine.writing();
  engine.write("two");
  own.done();
  own.done("deleted"); // counts no more
  assertEquals(await watch.data(), "two");
  assertEquals(engine.reads, 2);
  await watch.return();
});

Deno.test("hub: a write is announced at no cost where no watch is", () => {
  const engine = new FakeEngine();
  assert(engine.writing() === engine.writing());
  engine.ownWrite("two");
  engine.hub.saw(KEY, 2);
  engine.hub.renewed(KEY, 1, 1);
  engine.hub.changed(KEY, 3);
  assertEquals(engine.hub.size, 0);
});

Deno.test("hub: changes during a read are one further read", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  const { promise, open } = gate();
  engine.reading = promise;
  for (let n = 2; n <= 50; n++) engine.write(`${n}`);
  open();
  assertEquals(await watch.data(), "2");
  assertEquals(await watch.data(), "50");
  assertEquals(engine.reads, 3);
  await watch.return();
});

Deno.test("hub: an event of what a read has found is no read", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.store("two");
  engine.store("three");
  engine.emit(2);
  assertEquals(await watch.data(), "three");
  engine.emit(3);
  await turn();
  assertEquals(engine.reads, 2);
  await watch.return();
});

Deno.test("hub: an event of what no read finds is one read", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.emit(9);
  assert(!await watch.isSettled());
  assertEquals(engine.reads, 2);
  await watch.return();
});

Deno.test("hub: missed events are made up by a read", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.store("two");
  engine.emit(undefined);
  assertEquals(await watch.data(), "two");
  engine.store("three");
  engine.hub.changed(KEY, 3);
  assertEquals(await watch.data(), "three");
  await watch.return();
});

Deno.test("hub: the lease is as last read, with the time left by now", async () => {
  const engine = new FakeEngine();
  const lease = { holder: "w", fence: 7, remainingMs: 30_000 };
  engine.store("leased", { lease });
  const watch = engine.watch();
  assertEquals((await watch.next())?.lease?.fence, 7);
  await later(10_000, async () => {
    const { lease: _, ...record } = engine.store("kept");
    engine.writing().done({ ...record, lease: "kept" });
    const keptMs = (await watch.next())?.lease?.remainingMs ?? 0;
    assert(keptMs <= 20_000 && keptMs > 19_000, `${keptMs} ms left`);
    engine.hub.renewed(KEY, 7, 40_000);
    engine.hub.renewed(KEY, 6, 60_000); // another fence
    engine.writing().done({ ...engine.store("renewed"), lease: "kept" });
    const renewed = (await watch.next())?.lease;
    const leftMs = renewed?.remainingMs ?? 0;
    assert(leftMs <= 40_000 && leftMs > 39_000, `${leftMs} ms left`);
  });
  engine.writing().done(engine.store("released"));
  assertEquals((await watch.next())?.lease, undefined);
  assertEquals(engine.reads, 1);
  await watch.return();
});

Deno.test("hub: an engine that answers at once has no pause anywhere", async () => {
  const closed = new CloseSignal();
  let version = 1;
  const read = () =>
    version > 0 ? { data: `${version}`, version, etag: "" } : undefined;
  const hub = new WatchHub({ closed: [closed], read });
  const watch = new Watch(hub.watch(KEY));
  assertEquals(await watch.data(), "1");
  hub.changed(KEY, version = 2);
  assertEquals(await watch.data(), "2");
  hub.changed(KEY, version = 0);
  assertEquals(await watch.data(), undefined);
  await assertRejects(() => new Watch(hub.watch(KEY)).next(), NotFoundError);
  assertEquals(hub.size, 0);
});
