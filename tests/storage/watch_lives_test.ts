/**
 * Which lives of a record a watch tells apart, whatever the order in which
 * events, reads and own writes report them.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { NotFoundError } from "../../src/storage/errors.ts";
import { FakeEngine, gate, later, turn } from "./fake_engine.ts";

/** Longer than an event may be late. */
const LATE_MS = 1001;

Deno.test("lives: a deletion ends the watches", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.delete();
  assertEquals(await watch.data(), undefined);
  assertEquals(engine.hub.size, 0);
});

Deno.test("lives: a deletion needs no read once events are in step", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.write("two");
  assertEquals(await watch.data(), "two");
  engine.delete();
  engine.write("new");
  assertEquals(await watch.data(), undefined);
  assertEquals(engine.reads, 2);
  const late = engine.watch();
  assertEquals(await late.data(), "new");
  await later(LATE_MS, async () => {
    engine.delete();
    engine.write("newer");
    assertEquals(await late.data(), undefined);
  });
  assertEquals(engine.reads, 3);
});

Deno.test("lives: a new life that is ahead of the old is not the record watched", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.delete();
  engine.write("new 1");
  engine.write("new 2");
  assertEquals(await watch.data(), undefined);
});

Deno.test("lives: a late deletion of the life before ends nothing", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.emit(0); // of the life before; the read was ahead of it
  engine.emit(1);
  assert(!await watch.isSettled());
  engine.write("two");
  assertEquals(await watch.data(), "two");
  await watch.return();
});

Deno.test("lives: an own deletion ends at once, and its event ends no later watch", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  const own = engine.writing();
  engine.record = undefined;
  own.done("deleted");
  assertEquals(await watch.data(), undefined);
  assertEquals(engine.reads, 1);
  engine.store("new");
  const next = engine.watch();
  assertEquals(await next.data(), "new");
  engine.emit(0);
  engine.emit(1);
  assert(!await next.isSettled());
  await next.return();
});

Deno.test("lives: an own deletion that an event has reported ends no new life", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.write("two");
  assertEquals(await watch.data(), "two");
  const own = engine.writing();
  engine.delete();
  assertEquals(await watch.data(), undefined);
  engine.write("new");
  const next = engine.watch();
  assertEquals(await next.data(), "new");
  own.done("deleted");
  assert(!await next.isSettled());
  await next.return();
});

for (
  const [how, stored] of [
    ["a lower version", { version: 2, etag: "other" }],
    ["the same version and another etag", { version: 3, etag: "other" }],
  ] as const
) {
  Deno.test(`lives: ${how} is a new life though no event said so`, async () => {
    const engine = new FakeEngine();
    engine.store("two");
    engine.store("three");
    const watch = engine.watch();
    assertEquals(await watch.data(), "three");
    engine.record = { data: "three", ...stored };
    engine.emit(undefined);
    assertEquals(await watch.data(), undefined);
  });
}

Deno.test("lives: without etags the data tells a new life", async () => {
  const engine = new FakeEngine();
  engine.record = { data: "old", version: 1, etag: "" };
  const watch = engine.watch();
  assertEquals(await watch.data(), "old");
  engine.emit(undefined);
  assert(!await watch.isSettled());
  engine.record = { data: "new", version: 1, etag: "" };
  engine.emit(undefined);
  assertEquals(await watch.data(), undefined);
});

Deno.test("lives: versions that start again are a new life, even one ahead", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  engine.write("two");
  assertEquals(await watch.data(), "two");
  engine.record = undefined; // evicted: without an event
  engine.store("new 1");
  engine.store("new 2");
  engine.store("new 3");
  engine.emit(1);
  assertEquals(await watch.data(), undefined);
});

Deno.test("lives: an event that is late by one version ends nothing", async () => {
  const engine = new FakeEngine();
  engine.store("two");
  engine.store("three");
  const watch = engine.watch();
  assertEquals(await watch.data(), "three");
  engine.store("four");
  engine.emit(2); // from before the first read
  assertEquals(await watch.data(), "four");
  engine.emit(3);
  engine.emit(4);
  assert(!await watch.isSettled());
  assertEquals(engine.reads, 2);
  await watch.return();
});

Deno.test("lives: a read that is behind an own write ends nothing", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  const { promise, open } = gate();
  engine.reading = promise;
  engine.emit(undefined); // its read finds "one"
  engine.writing().done(engine.store("two"));
  assertEquals(await watch.data(), "two");
  open();
  assert(!await watch.isSettled());
  engine.write("three");
  assertEquals(await watch.data(), "three");
  await watch.return();
});

Deno.test("lives: an own write of version 1 begins a new life", async () => {
  const engine = new FakeEngine();
  engine.store("two");
  const watch = engine.watch();
  assertEquals(await watch.data(), "two");
  engine.record = undefined; // expired, and written again by us
  engine.ownWrite("new");
  assertEquals(await watch.data(), undefined);
});

Deno.test("lives: an own write that is already expired is not yielded", async () => {
  const engine = new FakeEngine();
  const watch = engine.watch();
  assertEquals(await watch.data(), "one");
  const own = engine.writing();
  engine.record = undefined;
  own.done({ data: "late", version: 2, etag: "late", remainingMs: -1 });
  assertEquals(await watch.data(), undefined);
});

Deno.test("lives: what was deleted before the first read is not the record watched", async () => {
  const engine = new FakeEngine();
  const { promise, open } = gate();
  engine.reading = promise;
  const watch = engine.watch();
  assert(!await watch.isSettled()); // its read has found "one"
  engine.delete();
  engine.write("new");
  open();
  assertEquals(await watch.data(), "new");
  engine.write("new 2");
  assertEquals(await watch.data(), "new 2");
  await watch.return();
});

Deno.test("lives: no record is an error at the first step, unless an event reports one", async () => {
  const engine = new FakeEngine();
  engine.record = undefined;
  const error = await assertRejects(() => engine.watch().next(), NotFoundError);
  assertEquals(error.key, "alice:t-1");
  const { promise, open } = gate();
  engine.reading = promise;
  const watch = engine.watch();
  assert(!await watch.isSettled()); // its read has found nothing
  engine.write("created since");
  open();
  assertEquals(await watch.data(), "created since");
  await watch.return();
});

Deno.test("lives: a watch that waits for its first record outlives the others", async () => {
  const engine = new FakeEngine();
  const first = engine.watch();
  assertEquals(await first.data(), "one");
  engine.write("two");
  assertEquals(await first.data(), "two");
  const { promise, open } = gate();
  engine.reading = promise;
  const second = engine.watch();
  assert(!await second.isSettled());
  engine.delete();
  engine.write("new");
  assertEquals(await first.data(), undefined);
  open();
  assertEquals(await second.data(), "new");
  await second.return();
  await turn();
  assertEquals([engine.hub.size, engine.subscriptions], [0, 1]);
});

Deno.test("lives: an own write that follows an own deletion outlives its answer", async () => {
  const engine = new FakeEngine();
  engine.store("two");
  const first = engine.watch();
  assertEquals(await first.data(), "two");
  const { promise, open } = gate();
  engine.reading = promise;
  const second = engine.watch();
  assert(!await second.isSettled()); // its read has found "two"
  const deletion = engine.writing();
  engine.record = undefined;
  const creation = engine.writing();
  creation.done(engine.store("new"));
  assertEquals(await first.data(), undefined);
  assertEquals(await second.data(), "new");
  deletion.done("deleted");
  open();
  engine.emit(0);
  engine.emit(1);
  assert(!await second.isSettled());
  engine.write("new 2");
  assertEquals(await second.data(), "new 2");
  await second.return();
});

for (const how of ["missed", "found by a read alone"] as const) {
  Deno.test(`lives: after an end that was ${how} the new life's events count`, async () => {
    const engine = new FakeEngine();
    const first = engine.watch();
    assertEquals(await first.data(), "one");
    engine.write("two");
    assertEquals(await first.data(), "two");
    const { promise, open } = gate();
    engine.reading = promise;
    engine.record = undefined;
    engine.store("new 1");
    const second = engine.watch();
    if (how === "missed") engine.emit(undefined);
    assert(!await second.isSettled());
    open();
    assertEquals(await first.data(), undefined);
    assertEquals(await second.data(), "new 1");
    if (how === "missed") engine.write("new 2");
    else {
      engine.store("new 2");
      engine.emit(1);
      assertEquals(await second.data(), "new 2");
      engine.emit(2);
      engine.write("new 3");
    }
    const data = how === "missed" ? "new 2" : "new 3";
    assertEquals(await second.data(), data);
    await second.return();
  });
}
