/** Listeners of tasks that cannot be read, or no more. */

import { assert, assertEquals } from "@std/assert";
import { MemoryBackend, TaskStorageError, TaskStore } from "../../../mod.ts";
import { RpcClient } from "./client.ts";
import { makeServer } from "./fixture.ts";
import { isOpen, newTask, OWNER } from "./listen_fixture.ts";

const [OLD, NEW] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];

Deno.test("a task that cannot be read is not listened to, and spoils no other", async () => {
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend, { encryption: { keys: [NEW] } });
  const old = new TaskStore(backend, { encryption: { keys: [OLD] } });
  const [read, unreadable] = [await newTask(store), await newTask(old)];
  const errors: unknown[] = [];
  const server = makeServer(store, { onError: (e) => void errors.push(e) });
  try {
    const client = new RpcClient(server.fetch);
    const listening = await client.listen({ taskIds: [unreadable, read] });
    assert(isOpen(listening));
    const ack = await listening.next();
    assertEquals(ack?.params.notifications, { taskIds: [read] });
    await listening.task(read, "working");
    assertEquals(errors.map((error) => error instanceof TaskStorageError), [
      true,
    ]);
    await listening.leave();
  } finally {
    await server.extension.drain({ timeoutMs: 0 });
  }
});

Deno.test("the streams of a task that cannot be read any more are ended", async () => {
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend, { encryption: { keys: [OLD] } });
  // The next version writes with a key that this one has not got yet.
  const next = new TaskStore(backend, { encryption: { keys: [NEW, OLD] } });
  const taskIds = [await newTask(store), await newTask(store)];
  const errors: unknown[] = [];
  const server = makeServer(store, { onError: (e) => void errors.push(e) });
  try {
    const client = new RpcClient(server.fetch);
    const both = await client.listen({ taskIds });
    const other = await client.listen({ taskIds: taskIds.slice(1) });
    await both.task(taskIds[0]!, "working");
    await other.task(taskIds[1]!, "working");
    await next.update(taskIds[0]!, OWNER, { statusMessage: "of the new key" });
    const end = await both.until("the end", ({ result }) => result);
    assertEquals(end.result.resultType, "complete");
    assertEquals(await both.next(), undefined);
    assertEquals(errors.length, 1);
    // The client that listens again is told what it does not listen to.
    const again = await client.listen({ taskIds });
    const ack = await again.next();
    assertEquals(ack?.params.notifications, { taskIds: [taskIds[1]] });
    await store.cancel(taskIds[1]!, OWNER);
    for (const listening of [other, again]) {
      await listening.task(taskIds[1]!, "cancelled");
      await listening.leave();
    }
  } finally {
    await server.extension.drain({ timeoutMs: 0 });
  }
});
