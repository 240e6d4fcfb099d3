/**
 * Both protocol eras from one store: what the adapter of one has made, the
 * other shows to its clients, where the shapes allow it.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Client } from "@modelcontextprotocol/sdk/client";
// @ts-types="@modelcontextprotocol/sdk/inMemory"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
// @ts-types="@modelcontextprotocol/sdk/server/mcp"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolResultSchema,
  McpError,
} from "@modelcontextprotocol/sdk/types.js";
import {
  ExtTaskStore,
  MemoryBackend,
  SdkTaskMessageQueue,
  SdkTaskStore,
  TaskFailedError,
  TaskStore,
} from "../../mod.ts";
import { RpcClient } from "./v2026_07_28/client.ts";
import { makeServer } from "./v2026_07_28/fixture.ts";
import { text } from "./v2026_07_28/fixture.ts";
import { deadline, waitUntil } from "../support/wait.ts";

interface Eras {
  readonly store: TaskStore;
  readonly old: SdkTaskStore;
  readonly modern: RpcClient;
  /** The SDK's own client of 2025-11-25, on the SDK's own server. */
  readonly client: Client;
  /** How often that server has looked for messages of a task. */
  readonly looks: { count: number };
}

/** One store, one owner, one client of each era. */
function erasTest(name: string, body: (eras: Eras) => Promise<void>): void {
  Deno.test(`both eras: ${name}`, async () => {
    await using backend = new MemoryBackend();
    const store = new TaskStore(backend);
    const { fetch, extension } = makeServer(store);
    const looks = { count: 0 };
    class CountingQueue extends SdkTaskMessageQueue {
      override dequeue(taskId: string, sessionId?: string) {
        looks.count++;
        return super.dequeue(taskId, sessionId);
      }
    }
    const old = new SdkTaskStore(store).forOwner("alice");
    const server = new McpServer({ name: "old", version: "1.0.0" }, {
      capabilities: { tasks: { list: {}, cancel: {} } },
      taskStore: old,
      taskMessageQueue: new CountingQueue(backend.queues).forOwner("alice"),
    });
    const client = new Client({ name: "test", version: "1.0.0" });
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    await server.connect(ours);
    await client.connect(theirs);
    try {
      const modern = new RpcClient(fetch, { owner: "alice" });
      await body({ store, old, modern, client, looks });
    } finally {
      await client.close();
      await server.close();
      await extension.drain({ timeoutMs: 0 });
    }
  });
}

const REQUEST = { method: "tools/call", params: { name: "slow" } };

erasTest("a task of 2025-11-25 is read, cancelled and listened to", async (
  { old, modern },
) => {
  const task = await old.createTask(
    { ttl: 60_000, pollInterval: 250 },
    1,
    REQUEST,
  );
  const { _meta, ...seen } = await modern.get(task.taskId);
  assertEquals(seen, {
    resultType: "complete",
    taskId: task.taskId,
    status: "working",
    createdAt: task.createdAt,
    lastUpdatedAt: task.lastUpdatedAt,
    ttlMs: 60_000,
    pollIntervalMs: 250,
  });
  const listening = await modern.listen({ taskIds: [task.taskId] });
  await listening.task(task.taskId, "working");
  await old.updateTaskStatus(task.taskId, "working", "half way");
  const { params } = await listening.until(
    "the message",
    ({ params }) => params.statusMessage === "half way",
  );
  assertEquals(params.status, "working");
  await modern.cancel(task.taskId);
  await listening.task(task.taskId, "cancelled");
  await listening.leave();
  assertEquals((await old.getTask(task.taskId))?.status, "cancelled");
  assertEquals((await old.getTaskResult(task.taskId)).isError, true);
});

erasTest(
  "a result of 2025-11-25 is inlined, without what that era adds",
  async (
    { old, modern },
  ) => {
    const { taskId } = await old.createTask({}, 1, REQUEST);
    const related = { "io.modelcontextprotocol/related-task": { taskId } };
    await old.storeTaskResult(taskId, "completed", {
      ...text("done"),
      _meta: { ...related, own: 1 },
    });
    const { status, result } = await modern.get(taskId);
    assertEquals(status, "completed");
    assertEquals(result, {
      ...text("done"),
      resultType: "complete",
      _meta: { own: 1 },
    });
  },
);

erasTest("a tool's failure there is a completed task with isError here", async (
  { old, modern },
) => {
  const { taskId } = await old.createTask({}, 1, REQUEST);
  const result = { ...text("no such file"), isError: true };
  await old.storeTaskResult(taskId, "failed", result);
  const task = await modern.get(taskId);
  assertEquals(task.status, "completed");
  assertEquals(task.result, { ...result, resultType: "complete" });
  // Without a result, all there is to tell is the message.
  const other = await old.createTask({}, 2, REQUEST);
  await old.updateTaskStatus(other.taskId, "failed", "gave up");
  const { status, error } = await modern.get(other.taskId);
  assertEquals([status, error], ["failed", {
    code: -32603,
    message: "gave up",
  }]);
});

erasTest("a task of 2026-07-28 is listed, and its result read", async (
  { old, modern },
) => {
  const done = await modern.start("slow_compute", {
    seconds: 0.01,
    label: "x",
  });
  await modern.until(done);
  const failed = await modern.start("protocol_error_job");
  await modern.until(failed);
  const waits = await modern.start("confirm_delete", { filename: "f" });
  await modern.until(waits, "input_required");

  const { tasks } = await old.listTasks();
  assertEquals(
    new Map(tasks.map(({ taskId, status }) => [taskId, status])),
    new Map([
      [done, "completed"],
      [failed, "failed"],
      [waits, "input_required"],
    ]),
  );
  assertEquals(tasks.map(({ ttl }) => ttl), [3_600_000, 3_600_000, 3_600_000]);
  assertEquals(await old.getTaskResult(done), text("computed x"));
  const error = await assertRejects(
    () => old.getTaskResult(failed),
    TaskFailedError,
  );
  assertEquals(error.code, -32050);
  // A cancellation there reaches the handler here.
  await old.updateTaskStatus(waits, "cancelled", "no longer wanted");
  const { status, statusMessage } = await modern.get(waits);
  assertEquals([status, statusMessage], ["cancelled", "no longer wanted"]);
});

erasTest("what is foreign in one era is foreign in the other", async (
  { old, modern },
) => {
  const bobs = old.forOwner("bob");
  const { taskId } = await bobs.createTask({}, 1, REQUEST);
  assertEquals((await modern.error("tasks/get", { taskId })).code, -32602);
  const hers = await modern.start("slow_compute", { seconds: 60, label: "x" });
  assertEquals(await bobs.getTask(hers), null);
  assert((await old.getTask(hers)) !== null);
});

erasTest(
  "tasks/result does not wait for an answer it cannot bring about",
  async (
    { modern, client },
  ) => {
    const result = (taskId: string) =>
      deadline(
        "tasks/result is answered",
        client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema),
      );
    const taskId = await modern.start("confirm_delete", { filename: "f" });
    await modern.until(taskId, "input_required");
    // All else of the task is as ever.
    const seen = await client.experimental.tasks.getTask(taskId);
    assertEquals(seen.status, "input_required");
    const error = await assertRejects(() => result(taskId), McpError);
    assertEquals(error.code, -32602);
    assert(error.message.includes("2026-07-28"), error.message);
    await modern.update(taskId, {
      confirm: { action: "accept", content: { confirm: true } },
    });
    assertEquals((await result(taskId)).content, text("deleted f").content);
  },
);

erasTest(
  "tasks/result that waits already is refused when a question comes",
  async (
    { store, old, modern, client, looks },
  ) => {
    const { taskId } = await old.createTask({ pollInterval: 20 }, 1, REQUEST);
    const result = () =>
      deadline(
        "tasks/result is answered",
        client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema),
      );
    const refused = assertRejects(result, McpError, "2026-07-28");
    await waitUntil("it waits", () => looks.count > 2);
    const work = new ExtTaskStore(store).forOwner("alice").handle(taskId);
    const answers = work.requireInput({ sure: { method: "roots/list" } });
    await refused;
    await modern.update(taskId, { sure: { roots: [] } });
    assertEquals(await answers, { sure: { roots: [] } });
    await work.complete(text("done"));
    assertEquals((await result()).content, text("done").content);
  },
);

erasTest("a question of 2025-11-25 is nothing to answer for 2026-07-28", async (
  { old, modern },
) => {
  const { taskId } = await old.createTask({}, 1, REQUEST);
  await old.updateTaskStatus(taskId, "input_required", "asking");
  const { status, inputRequests } = await modern.get(taskId);
  assertEquals([status, inputRequests], ["input_required", {}]);
  await modern.update(taskId, { any: {} });
  await old.updateTaskStatus(taskId, "working");
  await modern.cancel(taskId);
  assertEquals((await old.getTask(taskId))?.status, "cancelled");
});
