/**
 * Task ids that a client makes up: of any length, with any characters.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ExtTaskStore,
  MemoryBackend,
  SdkTaskMessageQueue,
  SdkTaskStore,
  TaskStore,
} from "../../mod.ts";
import { RpcClient } from "./v2026_07_28/client.ts";
import { makeServer } from "./v2026_07_28/fixture.ts";

const MESSAGE = {
  type: "notification" as const,
  timestamp: 1,
  message: { jsonrpc: "2.0" as const, method: "notifications/message" },
};

const METHODS = ["tasks/get", "tasks/update", "tasks/cancel"];

/** What cannot name a task, and what of it an error shows. */
const NO_IDS: readonly [name: string, taskId: string, shown: string][] = [
  ["of 900 kB", "x".repeat(900_000), "x".repeat(119) + "…"],
  ["just too long", "y".repeat(1025), "y".repeat(119) + "…"],
  ["that is empty", "", ""],
  ["with a lone surrogate", "a\ud800", "a\\ud800"],
];

/** Text that can name a task, and would not stay on its line. */
const ODD_ID = "one\r\ntwo\0\u2028three\u0085";

/** A storage that notes every key it is asked for. */
class NotingBackend extends MemoryBackend {
  readonly keys: string[] = [];

  constructor() {
    super();
    const { queues } = this;
    for (const name of ["push", "shift", "drain"] as const) {
      const own = queues[name].bind(queues) as (...args: unknown[]) => unknown;
      queues[name] = ((key: string, ...rest: unknown[]) => {
        this.keys.push(key);
        return own(key, ...rest);
      }) as never;
    }
  }

  override get(key: string) {
    this.keys.push(key);
    return super.get(key);
  }
}

/** Both eras and ext_tasks on one storage, and what their operator is told. */
function adapters() {
  const backend = new NotingBackend();
  const tasks = new TaskStore(backend);
  const errors: unknown[] = [];
  const options = { onError: (error: unknown) => void errors.push(error) };
  return {
    backend,
    errors,
    sdk: new SdkTaskStore(tasks, options).forOwner("alice"),
    queue: new SdkTaskMessageQueue(tasks.queues!, options).forOwner("alice"),
    ext: new ExtTaskStore(tasks, options).forOwner("alice"),
    client: new RpcClient(makeServer(tasks, options).fetch),
  };
}

for (const [name, taskId, shown] of NO_IDS) {
  Deno.test(`an id ${name} is not found in 2026-07-28, without the storage`, async () => {
    const { backend, errors, client } = adapters();
    const params = { taskId, inputResponses: {} };
    // Such a text makes no header; the SDK refuses it before.
    const isSent = !taskId.includes("\ud800");
    for (const method of isSent ? METHODS : []) {
      assertEquals(await client.error(method, params), {
        code: -32602,
        message: `task not found: "${shown}"`,
      });
    }
    const listening = await client.listen({ taskIds: [taskId] });
    const acknowledged = await listening.next();
    assertEquals(acknowledged?.params.notifications.taskIds, []);
    await listening.leave();
    assertEquals([backend.keys, errors], [[], []]);
  });

  Deno.test(`an id ${name} is not found in 2025-11-25, without the storage`, async () => {
    const { backend, errors, sdk, queue } = adapters();
    assertEquals(await sdk.getTask(taskId), null);
    for (
      const call of [
        () => sdk.getTaskResult(taskId),
        () => sdk.updateTaskStatus(taskId, "cancelled"),
        () => sdk.storeTaskResult(taskId, "completed", { content: [] }),
        () => queue.enqueue(taskId, MESSAGE),
      ]
    ) {
      const { message } = await assertRejects<Error>(call, Error, "not found");
      assert(message.length < 200 && message.includes(shown), message);
    }
    assertEquals(await queue.dequeue(taskId), undefined);
    assertEquals([backend.keys, errors], [[], []]);
    assertEquals(await queue.dequeueAll(taskId), []);
    assertEquals([backend.keys, errors.length], [[], 1]);
  });

  Deno.test(`an id ${name} is not found in ext_tasks, without the storage`, async () => {
    const { backend, errors, ext } = adapters();
    assertEquals(await ext.get(taskId), undefined);
    assertEquals(await ext.update(taskId, {}), false);
    assertEquals(await ext.cancel(taskId), false);
    assertEquals(await ext.context(taskId), undefined);
    const take = () => ext.handle(taskId);
    const { message } = assertThrows(take, Error, "not found") as Error;
    assert(message.length < 200 && message.includes(shown), message);
    assertEquals([backend.keys, errors], [[], []]);
  });
}

Deno.test("an id and a cursor that would not stay on their line are shown quoted", async () => {
  const { sdk, ext, client } = adapters();
  const { message } = await client.error("tasks/get", { taskId: ODD_ID });
  const messages = [message];
  const unbound = new ExtTaskStore(new TaskStore(new MemoryBackend()));
  for (
    const call of [
      () => sdk.getTaskResult(ODD_ID),
      () => sdk.updateTaskStatus(ODD_ID, "cancelled"),
      () => sdk.listTasks(ODD_ID),
      () => sdk.listTasks("c".repeat(900_000)),
      // deno-lint-ignore require-await
      async () => unbound.handle(ODD_ID),
    ]
  ) messages.push((await assertRejects<Error>(call, Error)).message);
  for (const message of messages) {
    // deno-lint-ignore no-control-regex
    assert(!/[\0-\x1f\x7f-\x9f\u2028]/.test(message), message);
    assert(message.length < 300, message);
  }
  assertEquals(await ext.get(ODD_ID), undefined);
});
