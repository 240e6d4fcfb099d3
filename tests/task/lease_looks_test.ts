/**
 * When watched tasks are looked at: no lease is missed for longer than 30
 * seconds, whichever instance took it. The timers are not waited for.
 *
 * @module
 */

import { assertEquals, assertNotStrictEquals } from "@std/assert";
import { MemoryBackend, type TaskRecord, TaskStore } from "../../mod.ts";
import { LeaseLooks } from "../../src/task/lease_looks.ts";

Deno.test("a task without a lease is looked at after 30 seconds", async () => {
  const { record } = await task();
  withTimers((timers) => {
    new LeaseLooks().join("alice", id(record), never).seen(record);
    assertEquals(timers.delays(), [30_000]);
  });
});

Deno.test("a task under a lease is looked at when that ends, and in 30 seconds at most", async () => {
  const { record } = await task();
  for (const [remainingMs, delay] of [[800, 800], [3_600_000, 30_000]]) {
    withTimers((timers) => {
      const watched = new LeaseLooks().join("alice", id(record), never);
      watched.seen(under(record, remainingMs!));
      assertEquals(timers.delays(), [delay]);
    });
  }
});

Deno.test("an owner whose name ends in another's task id has looks of its own", () => {
  const looks = new LeaseLooks();
  const one = looks.join("acme\nalice", "T", never);
  const other = looks.join("acme", "alice\nT", never);
  assertNotStrictEquals(one, other);
  one.leave();
  other.leave();
});

Deno.test("a lease of this store moves the look of its task, and of no other", async () => {
  const { record } = await task();
  withTimers((timers) => {
    const looks = new LeaseLooks();
    looks.join("alice", id(record), never).seen(record);
    looks.join("alice", "another", never).seen(record);
    looks.leased(under(record, 500));
    assertEquals(timers.delays(), [500, 30_000]);
    looks.leased(under(record, 900));
    assertEquals(timers.delays(), [900, 30_000]);
    // Of a task that is not watched: nothing to do.
    looks.leased({ ...under(record, 5), ownerId: "bob" });
    assertEquals(timers.delays(), [900, 30_000]);
  });
});

Deno.test("a record read before the lease was taken does not put the look off", async () => {
  const { record } = await task();
  const read = Promise.withResolvers<TaskRecord>();
  const looks = new LeaseLooks();
  await withTimers(async (timers) => {
    const watched = looks.join("alice", id(record), () => read.promise);
    watched.seen(record);
    // The look has begun, and finds no lease; one is taken meanwhile.
    timers.fire();
    looks.leased(under(record, 500));
    read.resolve(record);
    await read.promise;
    await Promise.resolve();
    assertEquals(timers.delays(), [500]);
    // As an event that was under way.
    watched.seen(record);
    assertEquals(timers.delays(), [500]);
    watched.leave();
    assertEquals(timers.delays(), []);
  });
});

const never = () => new Promise<undefined>(() => {});
const id = ({ task }: TaskRecord) => task.taskId;

async function task(): Promise<{ record: TaskRecord }> {
  await using store = new TaskStore(new MemoryBackend());
  return { record: await store.create("alice", "tools/call") };
}

function under(record: TaskRecord, remainingMs: number): TaskRecord {
  const expiresAt = new Date(Date.now() + remainingMs).toISOString();
  return {
    ...record,
    lease: { holder: "w", fence: 1, remainingMs, expiresAt },
  };
}

interface Timers {
  /** The delays of the timers that are set, the shortest first. */
  delays(): number[];
  /** Calls what the only timer was to call. */
  fire(): void;
}

/** Calls the body while timers are noted and not set. */
function withTimers<T>(body: (timers: Timers) => T): T {
  const { setTimeout, clearTimeout } = globalThis;
  const set = new Map<number, { call: () => void; delay: number }>();
  let last = 0;
  globalThis.setTimeout = ((call: () => void, delay: number) => {
    set.set(++last, { call, delay });
    return last;
  }) as unknown as typeof setTimeout;
  globalThis.clearTimeout = ((timer: number) => {
    set.delete(timer);
  }) as typeof clearTimeout;
  const restore = () => Object.assign(globalThis, { setTimeout, clearTimeout });
  const result = body({
    delays: () =>
      [...set.values()].map(({ delay }) => delay).toSorted((a, b) => a - b),
    fire: () => {
      const [[timer, { call }] = [0, { call: () => {} }]] = set;
      set.delete(timer);
      call();
    },
  });
  if (result instanceof Promise) return result.finally(restore) as T;
  restore();
  return result;
}
