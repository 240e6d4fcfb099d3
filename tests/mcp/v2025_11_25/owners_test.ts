/**
 * EVIDENCE A1 and A2, call by call: which owner a call without a session has,
 * and what it must never reach.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AnonymousOwnerError,
  MemoryBackend,
  SdkTaskMessageQueue,
  SdkTaskStore,
  type SdkTaskStoreOptions,
  TaskError,
  TaskStore,
  type TaskStoreOptions,
} from "../../../mod.ts";
import { TaskOwners } from "../../../src/mcp/v2025_11_25/task_owners.ts";
import { redisTest } from "../../support/redis_fixture.ts";
import type { QueueBackend } from "../../support/suite/message_queue.ts";

const REQUEST = { method: "tools/call", params: { name: "slow" } };
const RESULT = { content: [{ type: "text", text: "done" }] };
const MESSAGE = {
  type: "notification" as const,
  timestamp: 1,
  message: { jsonrpc: "2.0" as const, method: "notifications/message" },
};

/** One process: a store and a queue that were made apart on one backend. */
function processOn(
  backend: QueueBackend,
  sdk: SdkTaskStoreOptions = {},
  options: TaskStoreOptions = {},
) {
  const tasks = new TaskStore(backend, options);
  return {
    tasks,
    store: new SdkTaskStore(tasks, sdk),
    queue: new SdkTaskMessageQueue(backend.queues, sdk),
  };
}

Deno.test("sdk_push_without_a_session_goes_to_the_owner_of_its_task (A1)", async () => {
  for (const sdk of [{}, { defaultOwner: "me" }]) {
    const { store, queue } = processOn(new MemoryBackend(), sdk);
    const { taskId } = await store.createTask({}, 1, REQUEST, "s-1");
    await queue.enqueue(taskId, MESSAGE);
    assertEquals(await queue.dequeue(taskId, "s-2"), undefined);
    assertEquals(await queue.dequeue(taskId), undefined);
    assertEquals(await queue.dequeue(taskId, "s-1"), MESSAGE);
    await queue.enqueue(taskId, MESSAGE);
    assertEquals(await queue.dequeueAll(taskId), [MESSAGE]);
  }
});

Deno.test("sdk_push_with_a_session_stays_in_that_session", async () => {
  // SDK 1.30 queues its answer to a request for whatever task id it names.
  const { store, queue } = processOn(new MemoryBackend());
  const { taskId } = await store.createTask({}, 1, REQUEST, "s-1");
  await queue.enqueue(taskId, MESSAGE, "s-2");
  assertEquals(await queue.dequeue(taskId, "s-1"), undefined);
  assertEquals(await queue.dequeueAll(taskId), []);
});

Deno.test("sdk_push_without_an_owner_is_refused_where_there_are_sessions (A1)", async () => {
  const errors: unknown[] = [];
  const { queue } = processOn(new MemoryBackend(), {
    onError: (error) => errors.push(error),
  });
  // On stdio all is the process's own.
  await queue.enqueue("made-elsewhere", MESSAGE);
  assertEquals(await queue.dequeue("made-elsewhere"), MESSAGE);
  await queue.dequeue("another", "s-1");
  const error = await assertRejects(
    () => queue.enqueue("made-elsewhere", MESSAGE),
    AnonymousOwnerError,
  );
  for (const remedy of ["forOwner", "defaultOwner", "resolveOwner"]) {
    assert(error.message.includes(remedy), error.message);
  }
  assertEquals(errors, [error]);
});

redisTest(
  "sdk_result_stored_without_a_session_finds_its_task (A2)",
  async (redis) => {
    const a = processOn(await redis.connect());
    const b = processOn(await redis.connect());
    const { taskId } = await a.store.createTask({}, 1, REQUEST, "s-1");
    // B has neither made nor read it.
    await assertRejects(
      () => b.store.storeTaskResult(taskId, "completed", RESULT),
      Error,
      `Task with ID ${taskId} not found`,
    );
    await a.store.updateTaskStatus(taskId, "working", "half way");
    assertEquals(
      (await b.store.getTask(taskId, "s-1"))?.statusMessage,
      "half way",
    );
    await b.store.storeTaskResult(taskId, "completed", RESULT);
    assertEquals(await a.store.getTaskResult(taskId, "s-1"), RESULT);
    await assertRejects(
      () => a.store.storeTaskResult(taskId, "failed", RESULT),
      Error,
      "in terminal status 'completed'",
    );
  },
);

Deno.test("sdk_call_without_a_session_reads_no_sessions_task", async () => {
  for (const sdk of [{}, { defaultOwner: "me" }]) {
    const { store } = processOn(new MemoryBackend(), sdk);
    const { taskId } = await store.createTask({}, 1, REQUEST, "s-1");
    assertEquals(await store.getTask(taskId), null);
    await assertRejects(() => store.getTaskResult(taskId), Error, "not found");
  }
});

Deno.test("sdk_task_of_an_identity_is_not_reached_without_it", async () => {
  const { store, queue } = processOn(new MemoryBackend());
  const alice = store.forOwner("alice");
  const { taskId } = await alice.createTask({}, 1, REQUEST, "s-1");
  await alice.getTask(taskId, "s-1");
  const missing = `Task with ID ${taskId} not found`;
  for (
    const write of [
      () => store.storeTaskResult(taskId, "completed", RESULT),
      () => store.updateTaskStatus(taskId, "cancelled"),
      () => store.forOwner("bob").updateTaskStatus(taskId, "cancelled"),
    ]
  ) await assertRejects(write, Error, missing);
  await assertRejects(
    () => queue.enqueue(taskId, MESSAGE),
    AnonymousOwnerError,
  );
});

redisTest(
  "sdk_store_with_nothing_set_has_the_tasks_of_its_process (A2)",
  async (redis) => {
    const a = processOn(await redis.connect());
    const b = processOn(await redis.connect());
    const { taskId } = await a.store.createTask({}, 1, REQUEST);
    await a.queue.enqueue(taskId, MESSAGE);
    assertEquals(await b.queue.dequeue(taskId), undefined);
    assertEquals(await a.queue.dequeue(taskId), MESSAGE);
    await a.store.updateTaskStatus(taskId, "input_required");
    await a.store.storeTaskResult(taskId, "completed", RESULT);
    assertEquals(await a.store.getTaskResult(taskId), RESULT);
    // Neither another process nor a session, even one that knows the id.
    assertEquals(await b.store.getTask(taskId), null);
    assertEquals(await a.store.getTask(taskId, "s-1"), null);
  },
);

redisTest("sdk_calls_that_are_not_awaited_keep_their_order", async (redis) => {
  for (const sdk of [{}, { resolveOwner: () => "alice" }]) {
    for (const backend of [new MemoryBackend(), await redis.connect()]) {
      const { queue } = processOn(backend, sdk);
      const pushing = queue.enqueue("t-1", MESSAGE);
      assertEquals(await queue.dequeue("t-1"), MESSAGE);
      await pushing;
    }
  }
});

Deno.test("sdk_list_needs_an_owner", async () => {
  // A stateless HTTP server looks like stdio: its clients must not learn ids.
  const errors: unknown[] = [];
  const { store } = processOn(new MemoryBackend(), {
    onError: (error) => errors.push(error),
  });
  await store.createTask({}, 1, REQUEST);
  const error = await assertRejects(
    () => store.listTasks(),
    AnonymousOwnerError,
    "forOwner, defaultOwner or resolveOwner",
  );
  assertEquals(errors, [error]);

  for (
    const { store } of [
      processOn(new MemoryBackend(), { defaultOwner: "me" }),
      processOn(new MemoryBackend(), {}, { allowAnonymous: true }),
    ]
  ) {
    const { taskId } = await store.createTask({}, 1, REQUEST);
    const { tasks } = await store.listTasks();
    assertEquals(tasks.map((task) => task.taskId), [taskId]);
  }
});

Deno.test("sdk_anonymous_owners_that_are_allowed_share_store_and_queue", async () => {
  const backend = new MemoryBackend();
  const { store, queue, tasks } = processOn(backend, {}, {
    allowAnonymous: true,
  });
  await queue.enqueue("made-elsewhere", MESSAGE);
  assertEquals(await queue.dequeue("made-elsewhere"), MESSAGE);
  const { taskId } = await store.createTask({}, 1, REQUEST);
  assertEquals((await tasks.get(taskId, "local")).ownerId, "local");
});

Deno.test("sdk_second_store_on_a_backend_changes_nothing_for_the_first", async () => {
  const backend = new MemoryBackend();
  const { store, queue } = processOn(backend);
  const { taskId } = await store.createTask({}, 1, REQUEST);
  processOn(backend, {}, { allowAnonymous: true });
  assertEquals((await store.getTask(taskId))?.taskId, taskId);
  await queue.enqueue(taskId, MESSAGE);
  assertEquals(await queue.dequeue(taskId), MESSAGE);
  assertEquals(await queue.dequeue(taskId), undefined);
});

Deno.test("sdk_queue_that_seals_looks_into_the_tasks_of_its_own_store", async () => {
  const backend = new MemoryBackend();
  const stores = [1, 2].map((byte) =>
    new TaskStore(backend, {
      encryption: { keys: [new Uint8Array(32).fill(byte)] },
    })
  );
  // Each queue is made first: a store may come later.
  const queues = stores.map((tasks) => new SdkTaskMessageQueue(tasks.queues!));
  for (const tasks of stores) new SdkTaskStore(tasks);
  new SdkTaskStore(new TaskStore(backend)); // cannot open any of them
  for (const [n, tasks] of stores.entries()) {
    const { task: { taskId } } = await tasks.create("alice", "tools/call");
    const queue = queues[n]!.forOwner("alice");
    assertEquals(await queue.dequeue(taskId), undefined);
    await tasks.update(taskId, "alice", {
      status: "input_required",
      inputRequests: { name: { method: "elicitation/create" } },
    });
    await assertRejects(() => queue.dequeue(taskId), TaskError, "tasks/update");
  }
});

Deno.test("sdk_resolver_has_the_last_word", async () => {
  const { store, queue } = processOn(new MemoryBackend(), {
    resolveOwner: () => "",
  });
  for (
    const call of [
      () => store.createTask({}, 1, REQUEST),
      () => store.getTask("t-1", "s-1"),
      () => store.storeTaskResult("t-1", "completed", RESULT),
      () => queue.enqueue("t-1", MESSAGE, "s-1"),
      () => queue.dequeue("t-1"),
    ]
  ) await assertRejects<Error>(call, AnonymousOwnerError);
  assertEquals(await queue.dequeueAll("t-1"), []);
});

Deno.test("sdk_resolver_that_fails_is_told_to_the_operator_alone", async () => {
  const errors: unknown[] = [];
  const cause = new Error("connect ECONNREFUSED 10.0.0.7:5432");
  const fail = () => {
    throw cause;
  };
  for (const resolveOwner of [fail, () => Promise.reject(cause)]) {
    const { store } = processOn(new MemoryBackend(), {
      resolveOwner,
      onError: (error) => errors.unshift(error),
    });
    const error = await assertRejects(
      () => store.getTask("t-1", "s-1"),
      TaskError,
      "the owner of the call could not be determined",
    );
    assertEquals(error.code, -32603);
    assertEquals((errors[0] as Error).cause, cause);
  }

  const refusal = Object.assign(new Error("token expired"), { code: -32001 });
  const strict = processOn(new MemoryBackend(), {
    resolveOwner: () => Promise.reject(refusal),
  });
  await assertRejects(
    () => strict.store.getTask("t-1", "s-1"),
    Error,
    "token expired",
  );
});

Deno.test("sdk_resolver_that_names_no_owner_is_told_to_the_operator_at_every_call", async () => {
  const wrong: unknown[] = [undefined, null, 7, { owner: "me" }, "me\ud800"];
  for (const found of wrong) {
    for (const answer of [found, Promise.resolve(found)]) {
      const errors: unknown[] = [];
      const { store, queue } = processOn(new MemoryBackend(), {
        resolveOwner: () => answer as string,
        onError: (error) => errors.push(error),
      });
      for (
        const call of [
          () => store.createTask({}, 1, REQUEST, "s-1"),
          () => store.getTask("t-1", "s-1"),
          () => store.getTaskResult("t-1"),
          () => store.listTasks(undefined, "s-1"),
          () => store.updateTaskStatus("t-1", "failed", "", "s-1"),
          () => store.storeTaskResult("t-1", "completed", RESULT),
          () => queue.enqueue("t-1", MESSAGE, "s-1"),
          () => queue.dequeue("t-1", "s-1"),
        ]
      ) {
        errors.length = 0;
        const error = await assertRejects<Error>(
          call,
          TaskError,
          "the owner of the call could not be determined",
        );
        assertEquals(errors, [error]);
        assert(/^the owner .*: expected/.test((error.cause as Error).message));
      }
      errors.length = 0;
      assertEquals(await queue.dequeueAll("t-1", "s-1"), []);
      assertEquals(errors.length, 1);
    }
  }
});

Deno.test("sdk_owners_of_tasks_that_are_over_are_forgotten", async () => {
  await using backend = new MemoryBackend();
  const tasks = new TaskStore(backend, {
    limits: { maxTasksPerOwner: 5000, maxActiveTasksPerOwner: 5000 },
  });
  const owners = new TaskOwners();
  const short = await tasks.create("alice", "x", { ttlMs: 1 });
  const expired = { ...short, task: { ...short.task, ttl: 0 } };
  owners.remember(expired);
  const kept = await tasks.create("alice", "x");
  owners.remember(kept);
  const ended: string[] = [];
  for (let n = 0; n < 1001; n++) {
    const task = await tasks.create("alice", "x");
    owners.remember(task);
    owners.remember(await tasks.cancel(task, "alice"));
    ended.push(task.task.taskId);
  }
  assertEquals(owners.ownerOf(short.task.taskId), undefined);
  assertEquals(owners.ownerOf(ended[0]!), undefined);
  assertEquals(owners.ownerOf(ended[1]!), "alice");
  assertEquals(owners.ownerOf(kept.task.taskId), "alice");
});
