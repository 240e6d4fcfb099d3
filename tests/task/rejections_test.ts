/**
 * A method of `TaskStore` that returns a promise never throws at the call: a
 * caller's `.catch()` gets every refusal.
 *
 * @module
 */

import { assertEquals, assertInstanceOf } from "@std/assert";
import { AnonymousOwnerError, MemoryBackend, TaskStore } from "../../mod.ts";

// deno-lint-ignore no-explicit-any
type Method = (...args: any[]) => unknown;

/** They return no promise: an iterator and a signal. */
const SYNCHRONOUS = ["watch", "signalFor"];
/** They take no argument that could be refused. */
const WITHOUT_ARGUMENTS = ["cleanupExpired", "close"];

/** The names of all methods, so that a new one is tested with the others. */
function asyncMethods(): string[] {
  const all = Object.getOwnPropertyDescriptors(TaskStore.prototype);
  return Object.entries(all)
    .filter(([name, { value }]) =>
      typeof value === "function" && name !== "constructor" &&
      !SYNCHRONOUS.includes(name)
    )
    .map(([name]) => name);
}

/** Where the owner is among the arguments, and what makes a valid call else. */
const ARGUMENTS: Readonly<Record<string, (owner: unknown) => unknown[]>> = {
  create: (owner) => [owner, "tools/call"],
  list: (owner) => [owner],
  updateStatus: (owner) => ["t", owner, "completed"],
  modify: (owner) => ["t", owner, () => ({})],
  fail: (owner) => ["t", owner, { code: 1, message: "no" }],
  waitFor: (owner) => ["t", owner, { final: true }],
  touch: (owner) => ["t", owner, { ttlMs: 1000 }],
  lease: (owner) => ["t", owner, { holder: "w", forMs: 1000 }],
  renew: (owner) => ["t", owner, { holder: "w", forMs: 1000 }],
  release: (owner) => ["t", owner, { holder: "w" }],
};

for (const name of asyncMethods()) {
  if (WITHOUT_ARGUMENTS.includes(name)) continue;
  const argumentsOf = ARGUMENTS[name] ?? ((owner) => ["t", owner, {}]);

  Deno.test(`${name}() rejects where the owner is refused`, async () => {
    await using store = new TaskStore(new MemoryBackend());
    const reason = await rejection(store, name, argumentsOf(""));
    assertInstanceOf(reason, AnonymousOwnerError);
  });

  Deno.test(`${name}() rejects whatever it is called with`, async () => {
    await using store = new TaskStore(new MemoryBackend());
    const odd = [undefined, null, 5, Symbol("s"), {}, [], Object.create(null)];
    assertInstanceOf(await rejection(store, name, []), Error);
    for (const value of odd) {
      for (let at = 0; at < 3; at++) {
        const args = argumentsOf("alice");
        args[at] = value;
        // Some of it may be valid: then there is a promise, too.
        await outcome(store, name, args);
      }
    }
  });
}

Deno.test("fail() rejects where there is no error to fail with", async () => {
  await using store = new TaskStore(new MemoryBackend());
  const task = await store.create("alice", "tools/call");
  const reason = await rejection(store, "fail", [task, "alice", undefined]);
  assertInstanceOf(reason, TypeError);
});

Deno.test("methods that take no arguments return promises after the close, too", async () => {
  const store = new TaskStore(new MemoryBackend());
  await store.close();
  for (const name of WITHOUT_ARGUMENTS) await outcome(store, name, []);
});

/** What the promise is settled with; fails where the call throws. */
async function outcome(
  store: TaskStore,
  name: string,
  args: unknown[],
): Promise<PromiseSettledResult<unknown>> {
  const method = store[name as keyof TaskStore] as Method;
  let promise: unknown;
  let thrown: unknown;
  try {
    promise = method.apply(store, args);
  } catch (error) {
    thrown = error;
  }
  assertEquals(thrown, undefined, `${name}() threw at the call`);
  assertInstanceOf(promise, Promise, name);
  const [settled] = await Promise.allSettled([promise]);
  return settled!;
}

async function rejection(
  store: TaskStore,
  name: string,
  args: unknown[],
): Promise<unknown> {
  const settled = await outcome(store, name, args);
  assertEquals(settled.status, "rejected", name);
  return settled.status === "rejected" ? settled.reason : undefined;
}
