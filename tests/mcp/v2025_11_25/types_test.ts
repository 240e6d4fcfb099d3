/**
 * That the compiler takes our classes for the SDK's interfaces, and that
 * importing ours does not load the SDK.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type {
  QueuedMessage,
  TaskMessageQueue,
  TaskStore as SdkInterface,
} from "@modelcontextprotocol/sdk/experimental/tasks";
import {
  MemoryBackend,
  type SdkQueuedMessage,
  SdkTaskMessageQueue,
  SdkTaskStore,
  TaskStore,
} from "../../../mod.ts";
import { processesEnabled } from "./fixture.ts";

// @ts-expect-error The interfaces are there: without types all would pass.
const _interfaces: [SdkInterface, TaskMessageQueue] = [1, 1];

/** Methods as functions, whose parameters TypeScript does not compare laxly. */
type Strict<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => R
    : never;
};
const _store: Strict<SdkInterface>[] = [] as SdkTaskStore[];
const _queue: Strict<TaskMessageQueue>[] = [] as SdkTaskMessageQueue[];

// A message is the same to both.
const _theirs: QueuedMessage[] = [] as SdkQueuedMessage[];
const _ours: SdkQueuedMessage[] = [] as QueuedMessage[];

Deno.test("sdk_interfaces_are_implemented", async () => {
  await using backend = new MemoryBackend();
  const store: SdkInterface = new SdkTaskStore(new TaskStore(backend))
    .forOwner("alice");
  const queue: TaskMessageQueue = new SdkTaskMessageQueue(backend.queues)
    .forOwner("alice");
  const task = await store.createTask({}, 1, { method: "tools/call" });
  assertEquals((await store.getTask(task.taskId))?.status, "working");
  assertEquals(await queue.dequeueAll(task.taskId), []);
});

Deno.test({
  name: "redis_sdk_is_not_loaded_by_mod",
  ignore: !processesEnabled,
  async fn() {
    const mod = new URL("../../../mod.ts", import.meta.url).pathname;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--no-lock", mod],
    }).output();
    const { modules, npmPackages } = JSON.parse(
      new TextDecoder().decode(stdout),
    );
    assert(modules.length > 10, "deno info has not seen our modules");
    const loaded = Object.keys(npmPackages);
    assert(loaded.some((name) => name.startsWith("redis@")));
    assertEquals(loaded.filter((name) => /modelcontext/.test(name)), []);
  },
});
