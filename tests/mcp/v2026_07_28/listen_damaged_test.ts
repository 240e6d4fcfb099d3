/** Listeners of tasks that cannot be read, or no more. */

import { assert, assertEquals } from "@std/assert";
import { MemoryBackend, TaskStorageError, TaskStore } from "../../../mod.ts";
import { RpcClient } from "./client.ts";
import { makeServer } from "./fixture.ts";
import { isOpen, newTask } from "./listen_fixture.ts";

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
