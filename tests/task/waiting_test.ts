/**
 * Waits and watches end when they are told to, whatever the storage does: it
 * may never answer.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  MemoryBackend,
  type StorageBackend,
  TaskStore,
  TaskTimeoutError,
  type VersionedRecord,
} from "../../mod.ts";
import { deadline, pause } from "../support/wait.ts";
import { rejection, started } from "./suite/env.ts";

const SOON_MS = 5000;

Deno.test("waitFor() keeps its time with a storage that does not answer", async () => {
  await using backend = new MemoryBackend();
  const store = new TaskStore(silent(backend));
  const startMs = performance.now();
  const error = await deadline(
    "the end of the wait",
    rejection(
      store.waitFor("t", "alice", { final: true, timeoutMs: 100 }),
      TaskTimeoutError,
    ),
    SOON_MS,
  );
  assert(performance.now() - startMs >= 100);
  assert(/unknown after 100 ms/.test(error.message), error.message);
});

Deno.test("waitFor() names the state it has seen when the time is over", async () => {
  await using backend = new MemoryBackend();
  const { task } = await new TaskStore(backend).create("alice", "tools/call");
  const store = new TaskStore(silent(backend, 1));
  for (const timeoutMs of [0, 50]) {
    const error = await deadline(
      "the end of the wait",
      rejection(
        store.waitFor(task.taskId, "alice", { final: true, timeoutMs }),
        TaskTimeoutError,
      ),
      SOON_MS,
    );
    assert(error.message.includes("still working"), error.message);
  }
});

Deno.test("waitFor() with no time at all waits for a first look", async () => {
  await using backend = new MemoryBackend();
  const { task } = await new TaskStore(backend).create("alice", "tools/call");
  // A storage that answers just after the time is over.
  const store = new TaskStore(silent(backend, 1, undefined, 1));
  const error = await rejection(
    store.waitFor(task.taskId, "alice", { final: true, timeoutMs: 0 }),
    TaskTimeoutError,
  );
  assert(error.message.includes("still working"), error.message);
});

Deno.test("waitFor() with no time at all looks once", async () => {
  await using store = new TaskStore(new MemoryBackend());
  const { task } = await store.create("alice", "tools/call");
  const options = { status: "working", timeoutMs: 0 } as const;
  assertEquals(
    (await store.waitFor(task.taskId, "alice", options)).task,
    task,
  );
});

Deno.test("waits and watches end with their signal though the storage is silent", async () => {
  await using backend = new MemoryBackend();
  const { task } = await new TaskStore(backend).create("alice", "tools/call");
  for (const answers of [0, 1]) {
    const store = new TaskStore(silent(backend, answers));
    const reason = new SyntaxError("enough");
    const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
      (signal: AbortSignal) =>
        store.waitFor(task.taskId, "alice", { final: true, signal }),
      async (signal: AbortSignal) => {
        const watch = store.watch(task.taskId, "alice", { signal });
        for await (const _ of watch);
      },
    ];
    for (const call of calls) {
      const controller = new AbortController();
      const waiting = started(call(controller.signal));
      await Promise.resolve();
      controller.abort(reason);
      await deadline(
        "the abort",
        rejection(waiting, SyntaxError),
        SOON_MS,
      );
    }
  }
});

Deno.test("watch().return() ends a step that is under way, and the storage's watch", async () => {
  await using backend = new MemoryBackend();
  const { task } = await new TaskStore(backend).create("alice", "tools/call");
  let open = 0;
  const store = new TaskStore(silent(backend, 1, (change) => open += change));
  const watch = store.watch(task.taskId, "alice");
  assertEquals((await watch.next()).value?.version, 1);
  assertEquals(open, 1);
  const steps = [watch.next(), watch.next()];
  const done = { done: true, value: undefined };
  assertEquals(await deadline("return", watch.return!(), SOON_MS), done);
  assertEquals(await deadline("the steps", Promise.all(steps), SOON_MS), [
    done,
    done,
  ]);
  assertEquals([await watch.next(), open], [done, 0]);
});

Deno.test("watch() that was aborted between two steps throws once, then is over", async () => {
  await using store = new TaskStore(new MemoryBackend());
  const { task } = await store.create("alice", "tools/call");
  const controller = new AbortController();
  const { signal } = controller;
  const watch = store.watch(task.taskId, "alice", { signal });
  await watch.next();
  controller.abort(new SyntaxError("enough"));
  await assertRejects(() => watch.next(), SyntaxError, "enough");
  assertEquals(await watch.next(), { done: true, value: undefined });
});

Deno.test("a record is decoded once for all who watch it", async () => {
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend);
  const { task } = await store.create("alice", "tools/call");
  const watches = Array.from(
    { length: 20 },
    () => store.watch(task.taskId, "alice"),
  );
  await Promise.all(watches.map((watch) => watch.next()));
  await new TaskStore(backend).setResult(task.taskId, "alice", { large: 1 });
  const seen = await deadline(
    "the result",
    Promise.all(watches.map((watch) => watch.next())),
    SOON_MS,
  );
  assertEquals(seen[0]!.value.result, { large: 1 });
  assertEquals(new Set(seen.map(({ value }) => value.result)).size, 1);
  // What is read by other ways is everyone's own.
  const read = await store.get(task.taskId, "alice");
  assert(read.result !== seen[0]!.value.result);
  await Promise.all(watches.map((watch) => watch.return?.()));
});

/**
 * The same storage, whose watches yield so many records and then never answer,
 * not even to `return`.
 */
function silent(
  backend: StorageBackend,
  answers = 0,
  onChange: (change: 1 | -1) => void = () => {},
  delayMs = 0,
): StorageBackend {
  const never = new Promise<never>(() => {});
  const watch = (key: string): AsyncIterable<VersionedRecord> => ({
    [Symbol.asyncIterator]() {
      let left = answers;
      onChange(1);
      return {
        next: async () => {
          if (left-- <= 0) return await never;
          if (delayMs > 0) await pause(delayMs);
          return { done: false, value: await backend.get(key) };
        },
        return: () => {
          onChange(-1);
          return never;
        },
      };
    },
  });
  return new Proxy(backend, {
    get(target, name) {
      if (name === "watch") return watch;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
