/**
 * EVIDENCE A5: the bound store of a subclass is of the subclass, as those of
 * the SDK's example servers are.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  MemoryBackend,
  type SdkQueuedMessage,
  type SdkResult,
  SdkTaskMessageQueue,
  SdkTaskStore,
  TaskStore,
} from "../../../mod.ts";

const REQUEST = { method: "tools/call", params: { name: "slow" } };

/** The store of the SDK's interactive example: it wakes who waits. */
class StoreWithNotifications extends SdkTaskStore {
  private readonly waiting = new Map<string, () => void>();

  override async storeTaskResult(
    taskId: string,
    status: "completed" | "failed",
    result: SdkResult,
    sessionId?: string,
  ): Promise<void> {
    await super.storeTaskResult(taskId, status, result, sessionId);
    this.waiting.get(taskId)?.();
  }

  waitForUpdate(taskId: string): Promise<void> {
    return new Promise((resolve) => void this.waiting.set(taskId, resolve));
  }
}

class CountingQueue extends SdkTaskMessageQueue {
  readonly pushed: string[] = [];

  override async enqueue(
    taskId: string,
    message: SdkQueuedMessage,
    sessionId?: string,
    maxSize?: number,
  ): Promise<void> {
    await super.enqueue(taskId, message, sessionId, maxSize);
    this.pushed.push(taskId);
  }
}

Deno.test("sdk_bound_store_of_a_subclass_is_of_the_subclass (A5)", async () => {
  const store = new StoreWithNotifications(new TaskStore(new MemoryBackend()));
  const alice: StoreWithNotifications = store.forOwner("alice");
  assert(alice instanceof StoreWithNotifications);
  const { taskId } = await alice.createTask({}, 1, REQUEST);
  const waiting = store.waitForUpdate(taskId);
  await alice.storeTaskResult(taskId, "completed", { content: [] });
  await waiting;
  assertEquals(await alice.getTaskResult(taskId), { content: [] });
});

Deno.test("sdk_bound_store_binds_again_to_another_identity_alone", async () => {
  const alice = new StoreWithNotifications(new TaskStore(new MemoryBackend()))
    .forOwner("alice");
  const bob = alice.forOwner("bob");
  const { taskId } = await alice.createTask({}, 1, REQUEST);
  assertEquals(await bob.getTask(taskId), null);
  assertEquals((await alice.getTask(taskId))?.taskId, taskId);
});

Deno.test("sdk_bound_queue_of_a_subclass_is_of_the_subclass (A5)", async () => {
  const backend = new MemoryBackend();
  const queue = new CountingQueue(backend.queues);
  const alice: CountingQueue = queue.forOwner("alice");
  const message = {
    type: "response" as const,
    timestamp: 1,
    message: { jsonrpc: "2.0" as const, id: 1, result: {} },
  };
  await alice.enqueue("t-1", message);
  assertEquals(queue.pushed, ["t-1"]);
  assertEquals(await alice.dequeue("t-1"), message);
});
