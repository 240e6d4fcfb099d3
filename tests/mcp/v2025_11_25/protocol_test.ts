/**
 * Our store and queue inside the SDK's real server, with its real client, in
 * one process: what happens in the middle of a task.
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
  ElicitRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import {
  MemoryBackend,
  type MessageQueue,
  SdkTaskMessageQueue,
  SdkTaskStore,
  TaskStore,
} from "../../../mod.ts";
import type { QueueBackend } from "../../support/suite/message_queue.ts";
import { redisTest } from "../../support/redis_fixture.ts";
import { waitUntil } from "../../support/wait.ts";

/** One instance: a server, its client, and what became of its one tool. */
class Instance implements AsyncDisposable {
  readonly client: Client;
  readonly server: McpServer;
  /** What went wrong out of band. */
  readonly errors: string[] = [];
  /** How often the client was asked for a name. */
  asked = 0;

  /** @param queues Of another backend, to break them alone. */
  constructor(backend: QueueBackend, queues: MessageQueue = backend.queues) {
    const tasks = new TaskStore(backend);
    const tasksCapability = {
      list: {},
      cancel: {},
      requests: { tools: { call: {} } },
    };
    this.server = new McpServer({ name: "test", version: "1.0.0" }, {
      capabilities: { tasks: tasksCapability, logging: {} },
      taskStore: new SdkTaskStore(tasks).forOwner("alice"),
      taskMessageQueue: new SdkTaskMessageQueue(queues).forOwner("alice"),
      maxTaskQueueSize: 2,
    });
    this.server.server.onerror = ({ message }) => this.errors.push(message);
    this.server.experimental.tasks.registerToolTask("work", {
      description: "Asks for a name, or talks more than it may",
      _meta: {},
    }, {
      createTask: async (extra) => {
        const task = await extra.taskStore.createTask({ pollInterval: 20 });
        const { taskId } = task;
        const relatedTask = { taskId };
        this.work = {
          ask: async () => {
            await tasks.updateStatus(taskId, "alice", "input_required");
            const answer = await this.server.server.elicitInput({
              message: "Your name?",
              requestedSchema: {
                type: "object",
                properties: { name: { type: "string" } },
              },
            }, { relatedTask });
            const text = `Hello, ${answer.content?.name}!`;
            const content = [{ type: "text", text }];
            await tasks.completeWithResult(taskId, "alice", { content });
          },
          say: (data) =>
            this.server.server.notification({
              method: "notifications/message",
              params: { level: "info", data },
            }, { relatedTask }),
        };
        return { task };
      },
      getTask: (extra) => extra.taskStore.getTask(extra.taskId),
      getTaskResult: async (extra) => ({
        content: [],
        ...await extra.taskStore.getTaskResult(extra.taskId),
      }),
    });
    this.client = new Client({ name: "test", version: "1.0.0" }, {
      capabilities: { elicitation: {} },
    });
    this.client.setRequestHandler(ElicitRequestSchema, () => {
      this.asked++;
      return { action: "accept", content: { name: "Ada" } };
    });
  }

  /** What the tool can do once its task is made. */
  work: {
    ask(): Promise<void>;
    say(data: string): Promise<void>;
  } | undefined;

  async connect(): Promise<this> {
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    await this.server.connect(theirs);
    await this.client.connect(ours);
    return this;
  }

  async begin(): Promise<string> {
    const { task } = await this.client.request(
      { method: "tools/call", params: { name: "work" } },
      CreateTaskResultSchema,
      { task: {} },
    );
    return task.taskId;
  }

  result(taskId: string) {
    return this.client.experimental.tasks
      .getTaskResult(taskId, CallToolResultSchema);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.server.close();
  }
}

async function asksOnOneInstance(backend: QueueBackend) {
  await using one = await new Instance(backend).connect();
  const taskId = await one.begin();
  const asking = one.work!.ask();
  await waitUntil("the question queued", async () => {
    const task = await one.client.experimental.tasks.getTask(taskId);
    return task.status === "input_required";
  });
  assertEquals(one.asked, 0, "asked before tasks/result");
  const { content } = await one.result(taskId);
  assertEquals(content, [{ type: "text", text: "Hello, Ada!" }]);
  await asking;
  assertEquals([one.asked, one.errors], [1, []]);
}

Deno.test("sdk_tool_asks_in_its_task_in_memory", async () => {
  await using backend = new MemoryBackend();
  await asksOnOneInstance(backend);
});

redisTest("sdk_tool_asks_in_its_task", async (redis) => {
  await asksOnOneInstance(await redis.connect());
});

redisTest("sdk_answer_given_to_another_instance_is_lost", async (redis) => {
  // README: what cannot work in this era. When this fails, say so there.
  await using a = await new Instance(await redis.connect()).connect();
  await using b = await new Instance(await redis.connect()).connect();
  const taskId = await a.begin();
  let outcome: unknown;
  const asking = a.work!.ask().then(
    () => outcome = "answered",
    (error) => outcome = error.message,
  );
  const stop = new AbortController();
  const waiting = b.client.experimental.tasks.getTaskResult(
    taskId,
    CallToolResultSchema,
    { signal: stop.signal },
  ).catch(() => "stopped");
  await waitUntil("the question delivered by B", () => b.asked === 1);
  await waitUntil("the answer at B", () => b.errors.length > 0);
  assert(b.errors[0]!.includes("unknown message ID"), b.errors[0]);
  assertEquals(outcome, undefined, "A has got an answer");
  stop.abort();
  assertEquals(await waiting, "stopped");
  await a[Symbol.asyncDispose]();
  await asking;
});

redisTest("sdk_tool_that_says_too_much_overflows", async (redis) => {
  const backend = await redis.connect();
  await using one = await new Instance(backend).connect();
  const heard: unknown[] = [];
  one.client.fallbackNotificationHandler = (notification) => {
    heard.push(notification.params?.data);
    return Promise.resolve();
  };
  const taskId = await one.begin();
  await one.work!.say("one");
  await one.work!.say("two");
  await assertRejects(
    () => one.work!.say("three"),
    Error,
    "Task message queue overflow: queue size (2) exceeds maximum (2)",
  );
  const waiting = one.result(taskId);
  await waitUntil("both delivered", () => heard.length === 2);
  await one.work!.say("four");
  await waitUntil("the next one too", () => heard.length === 3);
  assertEquals(heard, ["one", "two", "four"]);
  await one.client.experimental.tasks.cancelTask(taskId);
  assert((await waiting).isError);
});

Deno.test("sdk_cancel_survives_a_queue_that_fails", async () => {
  await using backend = new MemoryBackend();
  const broken = new MemoryBackend();
  await broken.close();
  await using one = await new Instance(backend, broken.queues).connect();
  const taskId = await one.begin();
  // Its dequeueAll is not waited for: a rejection would end the process.
  const task = await one.client.experimental.tasks.cancelTask(taskId);
  assertEquals(task.status, "cancelled");
});
