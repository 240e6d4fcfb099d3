/**
 * EVIDENCE A1 and A2 inside real servers of several SDKs: a tool asks its
 * client in the middle of a task, and the server's own code, which has no
 * session, moves the task and stores its result.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  MemoryBackend,
  SdkTaskMessageQueue,
  SdkTaskStore,
  TaskStore,
} from "../../../mod.ts";
import { wholeEnvEnabled } from "../../support/gate.ts";
import { redisTest } from "../../support/redis_fixture.ts";
import type { QueueBackend } from "../../support/suite/message_queue.ts";
import { deadline } from "../../support/wait.ts";
import { type Sdk, SDKS } from "./sdk_versions.ts";

/** The ways to say whose tasks they are. */
const SETTINGS = {
  "session owners": { session: "s-1" },
  "an identity": { session: "s-1", identity: "alice" },
  "nothing set on stdio": {},
  "a default owner on stdio": { defaultOwner: "me" },
} as const;

interface Setting {
  readonly session?: string;
  readonly identity?: string;
  readonly defaultOwner?: string;
}

/** A server on one connection, and its client. */
class Pair implements AsyncDisposable {
  readonly client: InstanceType<Sdk["Client"]>;
  readonly server: InstanceType<Sdk["McpServer"]>;
  readonly store: SdkTaskStore;
  readonly errors: unknown[] = [];
  readonly heard: unknown[] = [];
  readonly #sdk: Sdk;
  /** The work of the tool, for the test to await. */
  work: Promise<void> | undefined;

  constructor(
    sdk: Sdk,
    backend: QueueBackend,
    { identity, ...options }: Setting,
  ) {
    this.#sdk = sdk;
    const onError = (error: unknown) => void this.errors.push(error);
    const store = new SdkTaskStore(new TaskStore(backend), {
      ...options,
      onError,
    });
    const queue = new SdkTaskMessageQueue(backend.queues, {
      ...options,
      onError,
    });
    this.store = identity ? store.forOwner(identity) : store;
    this.server = new sdk.McpServer({ name: "test", version: "1.0.0" }, {
      capabilities: {
        tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
        logging: {},
      },
      taskStore: this.store,
      taskMessageQueue: identity ? queue.forOwner(identity) : queue,
    });
    this.server.server.onerror = (error) => this.errors.push(error);
    this.server.experimental.tasks.registerToolTask("greet", {
      description: "Asks for a name",
      _meta: {},
    }, {
      createTask: async (extra) => {
        const task = await extra.taskStore.createTask({
          ttl: extra.taskRequestedTtl,
          pollInterval: 20,
        });
        this.work = this.#greet(task.taskId);
        this.work.catch((error) => this.errors.push(error));
        return { task };
      },
      getTask: (extra) => extra.taskStore.getTask(extra.taskId),
      getTaskResult: async (extra) => ({
        content: [],
        ...await extra.taskStore.getTaskResult(extra.taskId),
      }),
    });
    this.client = new sdk.Client({ name: "test", version: "1.0.0" }, {
      capabilities: { elicitation: {} },
    });
    this.client.setRequestHandler(
      sdk.types.ElicitRequestSchema,
      () => ({ action: "accept", content: { name: "Ada" } }),
    );
    this.client.fallbackNotificationHandler = ({ params }) => {
      this.heard.push(params?.data);
      return Promise.resolve();
    };
  }

  async connect(sessionId: string | undefined): Promise<this> {
    const [ours, theirs] = this.#sdk.InMemoryTransport.createLinkedPair();
    if (sessionId !== undefined) theirs!.sessionId = sessionId;
    await this.server.connect(theirs!);
    await this.client.connect(ours!);
    return this;
  }

  /** The server's own code: it has no session, and uses the store itself. */
  async #greet(taskId: string): Promise<void> {
    const { server } = this.server;
    const relatedTask = { taskId };
    await this.store.updateTaskStatus(taskId, "input_required", "asking");
    await server.notification({
      method: "notifications/message",
      params: { level: "info", data: "asking" },
    }, { relatedTask });
    const { content } = await server.elicitInput({
      message: "Your name?",
      requestedSchema: {
        type: "object",
        properties: { name: { type: "string" } },
      },
    }, { relatedTask });
    await this.store.updateTaskStatus(taskId, "working");
    const text = `Hello, ${content?.name}!`;
    await this.store.storeTaskResult(taskId, "completed", {
      content: [{ type: "text", text }],
    });
  }

  async begin(): Promise<string> {
    const { task } = await this.client.request(
      { method: "tools/call", params: { name: "greet" } },
      this.#sdk.types.CreateTaskResultSchema,
      { task: { ttl: 60_000 } },
    );
    return task.taskId;
  }

  async result(taskId: string): Promise<unknown> {
    const { content } = await deadline(
      "the result of the task",
      this.client.experimental.tasks
        .getTaskResult(taskId, this.#sdk.types.CallToolResultSchema),
    );
    return content;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.server.close();
  }
}

async function asksInItsTask(
  sdk: Sdk,
  backend: QueueBackend,
  setting: Setting,
): Promise<void> {
  await using pair = await new Pair(sdk, backend, setting)
    .connect(setting.session);
  const taskId = await pair.begin();
  assertEquals(await pair.result(taskId), [
    { type: "text", text: "Hello, Ada!" },
  ]);
  await pair.work;
  assertEquals([pair.heard, pair.errors], [["asking"], []]);
  const task = await pair.client.experimental.tasks.getTask(taskId);
  assertEquals([task.status, task.ttl], ["completed", 60_000]);
}

/** Two sessions of one server process; the second knows the id of the first. */
async function keepsSessionsApart(
  sdk: Sdk,
  backend: QueueBackend,
): Promise<void> {
  await using first = await new Pair(sdk, backend, {}).connect("s-1");
  await using second = await new Pair(sdk, backend, {}).connect("s-2");
  const taskId = await first.begin();
  await assertRejects(() => second.result(taskId), Error, "Task not found");
  assertEquals(second.heard, [], "the second has got the first's message");
  const page = await second.client.experimental.tasks.listTasks();
  assertEquals(page.tasks, []);
  assertEquals(await first.result(taskId), [
    { type: "text", text: "Hello, Ada!" },
  ]);
}

/** A client that cancels is not asked any more, and the tool learns of it. */
async function clearsItsQueue(
  sdk: Sdk,
  backend: QueueBackend,
  setting: Setting,
): Promise<void> {
  await using pair = await new Pair(sdk, backend, setting)
    .connect(setting.session);
  const taskId = await pair.begin();
  // Both messages wait by the time the task may be cancelled.
  await pair.client.ping();
  const { tasks } = pair.client.experimental;
  while ((await tasks.getTask(taskId)).statusMessage !== "asking") {
    await pair.client.ping();
  }
  await tasks.cancelTask(taskId);
  await assertRejects(
    () => pair.work!,
    Error,
    "Task cancelled or completed",
  );
}

for (const [version, load] of Object.entries(SDKS)) {
  /** A test in memory; the first SDK reads the whole environment. */
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({
      name: name.replaceAll(" ", "_"),
      ignore: version === "1.24.0" && !wholeEnvEnabled,
      fn,
    });
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const title = `sdk_${version}_asks_in_its_task_with_${name}`;
    test(`${title}_in_memory`, async () => {
      await using backend = new MemoryBackend();
      await asksInItsTask(await load(), backend, setting);
    });
    redisTest(title.replaceAll(" ", "_"), async (redis) => {
      await asksInItsTask(await load(), await redis.connect(), setting);
    });
    test(
      `sdk_${version}_clears_its_queue_with_${name}`,
      async () => {
        await using backend = new MemoryBackend();
        await clearsItsQueue(await load(), backend, setting);
      },
    );
  }
  test(`sdk_${version}_keeps_sessions_apart`, async () => {
    await using backend = new MemoryBackend();
    await keepsSessionsApart(await load(), backend);
  });
}
