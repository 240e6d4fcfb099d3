/**
 * EVIDENCE A3 and A7: what clients see of a failure, what the operator is
 * told, and that no failure makes another.
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
  CreateTaskResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import {
  BackendError,
  InvalidDataError,
  makeKey,
  MemoryBackend,
  ResourceExhaustedError,
  SdkTaskMessageQueue,
  SdkTaskStore,
  TaskLimitError,
  TaskStorageError,
  TaskStore,
} from "../../../mod.ts";
import { redisTest } from "../../support/redis_fixture.ts";

const REQUEST = { method: "tools/call", params: { name: "slow" } };
const MESSAGE = {
  type: "notification" as const,
  timestamp: 1,
  message: { jsonrpc: "2.0" as const, method: "notifications/message" },
};
const SHOWN = "the task storage failed";

/** A server with one tool, its client, and what the operator was told. */
async function serve(tasks: TaskStore, queues = new MemoryBackend().queues) {
  const told: unknown[] = [];
  const onError = (error: unknown) => void told.push(error);
  const server = new McpServer({ name: "test", version: "1.0.0" }, {
    capabilities: {
      tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
    },
    taskStore: new SdkTaskStore(tasks, { onError }).forOwner("secret-owner"),
    taskMessageQueue: new SdkTaskMessageQueue(queues, { onError })
      .forOwner("secret-owner"),
  });
  server.experimental.tasks.registerToolTask("slow", { _meta: {} }, {
    createTask: async (extra) => ({
      task: await extra.taskStore.createTask({}),
    }),
    getTask: (extra) => extra.taskStore.getTask(extra.taskId),
    getTaskResult: () => Promise.resolve({ content: [] }),
  });
  const client = new Client({ name: "test", version: "1.0.0" });
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await server.connect(theirs!);
  await client.connect(ours!);
  const create = async () => {
    const { task } = await client.request(
      { method: "tools/call", params: { name: "slow" } },
      CreateTaskResultSchema,
      { task: {} },
    );
    return task.taskId;
  };
  return {
    told,
    create,
    tasks: client.experimental.tasks,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.close();
    },
  };
}

Deno.test("sdk_error_of_a_creation_reaches_the_operator (A3)", async () => {
  const tasks = new TaskStore(new MemoryBackend(), {
    limits: { maxTasksPerOwner: 1 },
  });
  await using server = await serve(tasks);
  await server.create();
  // What the SDK makes of whatever createTask throws.
  await assertRejects(server.create, Error, "Invalid task creation result");
  assertEquals(server.told.length, 1);
  assert(server.told[0] instanceof ResourceExhaustedError);

  await tasks.close();
  await assertRejects(server.create, Error, "Invalid task creation result");
  const failure = server.told[1] as TaskStorageError;
  assert(failure instanceof TaskStorageError);
  assert(failure.cause instanceof BackendError);
});

Deno.test("sdk_error_of_a_creation_reaches_the_operator_and_the_caller (A3)", async () => {
  const told: unknown[] = [];
  const store = new SdkTaskStore(new TaskStore(new MemoryBackend()), {
    onError(error) {
      told.push(error);
      throw new Error("a logger that fails");
    },
  });
  const context = { text: "x".repeat(100_000) };
  const error = await assertRejects(
    () => store.createTask({ context }, 1, REQUEST, "s"),
    TaskLimitError,
  );
  assertEquals(told, [error]);
});

redisTest(
  "sdk_client_sees_one_sentence_of_a_storage_failure (A7)",
  async (redis) => {
    const backend = await redis.connect();
    const tasks = new TaskStore(backend);
    await using server = await serve(tasks, backend.queues);
    const taskId = await server.create();
    const attempts = [
      () => server.tasks.getTask(taskId),
      () => server.tasks.getTaskResult(taskId, CallToolResultSchema),
      () => server.tasks.cancelTask(taskId),
    ];
    const list = () => server.tasks.listTasks();
    // A damaged record, whose error names the key; then no storage at all.
    const key = makeKey("secret-owner", taskId);
    await backend.put(key, "{}", { expiresAt: Date.now() + 60_000 });
    for (const lost of [false, true]) {
      if (lost) await tasks.close();
      // A list leaves out what is damaged: see below.
      for (const attempt of lost ? [...attempts, list] : attempts) {
        server.told.length = 0;
        const { message } = await assertRejects<Error>(attempt, Error, SHOWN);
        for (const secret of ["secret-owner", "redis", "127.0.0.1", "closed"]) {
          assert(!message.toLowerCase().includes(secret), message);
        }
        const failure = server.told[0] as TaskStorageError;
        assert(failure instanceof TaskStorageError);
        const { message: whole } = failure;
        assert(whole.includes(lost ? "closed" : "secret-owner"), whole);
      }
    }
  },
);

Deno.test("sdk_storage_failure_keeps_its_cause_for_the_server", async () => {
  const backend = new MemoryBackend();
  const tasks = new TaskStore(backend);
  const told: unknown[] = [];
  const options = { onError: (error: unknown) => void told.push(error) };
  const store = new SdkTaskStore(tasks, options);
  const queue = new SdkTaskMessageQueue(backend.queues, options);
  await tasks.close();
  for (
    const call of [
      () => store.createTask({}, 1, REQUEST, "s"),
      () => store.getTask("t-1", "s"),
      () => store.getTaskResult("t-1", "s"),
      () => store.listTasks(undefined, "s"),
      () => store.updateTaskStatus("t-1", "failed", "", "s"),
      () => store.storeTaskResult("t-1", "completed", {}, "s"),
      () => queue.enqueue("t-1", MESSAGE, "s"),
      () => queue.dequeue("t-1", "s"),
    ]
  ) {
    told.length = 0;
    const error = await assertRejects<TaskStorageError>(call, TaskStorageError);
    assertEquals([error.message, error.code], [SHOWN, -32603]);
    assertEquals([error.cause], told);
  }
});

Deno.test("sdk_requests_that_are_merely_wrong_are_not_reported", async () => {
  const told: unknown[] = [];
  const store = new SdkTaskStore(new TaskStore(new MemoryBackend()), {
    onError: (error) => void told.push(error),
  });
  await assertRejects(() => store.getTaskResult("none", "s"));
  await assertRejects(() => store.updateTaskStatus("none", "failed", "", "s"));
  await assertRejects(() => store.listTasks("bogus", "s"));
  const { taskId } = await store.createTask({}, 1, REQUEST, "s");
  await store.storeTaskResult(taskId, "completed", {}, "s");
  await assertRejects(() => store.storeTaskResult(taskId, "failed", {}, "s"));
  assertEquals(told, []);
});

Deno.test("sdk_dequeue_all_never_rejects (A7)", async () => {
  const backend = new MemoryBackend();
  const told: unknown[] = [];
  const queue = new SdkTaskMessageQueue(backend.queues, {
    onError(error) {
      told.push(error);
      throw new Error("a logger that fails");
    },
  }).forOwner("alice");
  await backend.queues.push(makeKey("alice", "t-1"), "not JSON");
  assertEquals(await queue.dequeueAll("t-1"), []);
  assertEquals(await queue.dequeueAll(""), []);
  await backend.close();
  assertEquals(await queue.dequeueAll("t-1"), []);
  assertEquals(told.length, 3);
});

Deno.test("sdk_message_that_cannot_be_read_takes_no_other_along (A7)", async () => {
  await using backend = new MemoryBackend();
  const told: unknown[] = [];
  const queue = new SdkTaskMessageQueue(backend.queues, {
    onError: (error) => void told.push(error),
  }).forOwner("alice");
  const unreadable = ["not JSON", "null", "7", "{}"];
  const fill = async () => {
    for (const text of unreadable) {
      await queue.enqueue("t-1", MESSAGE);
      await backend.queues.push(makeKey("alice", "t-1"), text);
    }
    await queue.enqueue("t-1", MESSAGE);
  };
  await fill();
  assertEquals(await queue.dequeueAll("t-1"), Array(5).fill(MESSAGE));
  assertEquals(told.length, 4);
  await fill();
  for (let n = 0; n < 5; n++) {
    assertEquals(await queue.dequeue("t-1"), MESSAGE);
  }
  assertEquals(await queue.dequeue("t-1"), undefined);
  assertEquals(told.length, 8);
  for (const error of told) assert(error instanceof InvalidDataError);
});

Deno.test("tasks/list goes on without a task that cannot be read, and reports it", async () => {
  const backend = new MemoryBackend();
  await using server = await serve(new TaskStore(backend));
  const taskIds = [
    await server.create(),
    await server.create(),
    await server.create(),
  ];
  const lost = makeKey("secret-owner", taskIds[1]!);
  await backend.put(lost, "{}", { createdAt: Date.now() });
  const { tasks } = await server.tasks.listTasks();
  assertEquals(
    tasks.map(({ taskId }) => taskId).sort(),
    [taskIds[0], taskIds[2]].sort(),
  );
  assertEquals(server.told.length, 1);
  const cause = (server.told[0] as TaskStorageError).cause as InvalidDataError;
  assert(cause instanceof InvalidDataError);
  assertEquals(cause.key, lost);
});
