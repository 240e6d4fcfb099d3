/**
 * Where `SdkTaskStore` is not as the SDK's own: owners, limits, results of
 * tasks that ended without one, failures.
 *
 * @module
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  makeKey,
  MemoryBackend,
  ResourceExhaustedError,
  SdkTaskMessageQueue,
  SdkTaskStore,
  type SdkTaskStoreOptions,
  TaskFailedError,
  TaskStorageError,
  TaskStore,
  type TaskStoreOptions,
} from "../../../mod.ts";
import { redisTest } from "../../support/redis_fixture.ts";

const REQUEST = { method: "tools/call", params: { name: "slow" } };

function open(options: TaskStoreOptions = {}, sdk: SdkTaskStoreOptions = {}) {
  const clock = options.clock ?? Date.now;
  const backend = new MemoryBackend({ clock });
  const tasks = new TaskStore(backend, { retention: "completion", ...options });
  return { backend, tasks, store: new SdkTaskStore(tasks, sdk) };
}

Deno.test("sdk_bound_store_ignores_the_session", async () => {
  const { store } = open();
  const alice = store.forOwner("alice");
  const { taskId } = await alice.createTask({}, 1, REQUEST, "s-1");
  assertEquals((await alice.getTask(taskId, "s-2"))?.taskId, taskId);
  assertEquals((await alice.getTask(taskId))?.taskId, taskId);
  assertEquals((await alice.listTasks(undefined, "s-3")).tasks.length, 1);
  // Not even the session it was made in opens it to the unbound store.
  assertEquals(await store.getTask(taskId, "s-1"), null);
});

Deno.test("sdk_owners_never_see_each_other", async () => {
  const { store } = open({}, { defaultOwner: "shared" });
  const callers = [
    (id: string) => [store.forOwner("bob"), id] as const,
    (id: string) => [store.forOwner("alice:x"), id] as const,
    (id: string) => [store, id, "s-1"] as const,
    (id: string) => [store, id] as const, // the SDK's own would let it in
  ];
  const { taskId } = await store.forOwner("alice")
    .createTask({}, 1, REQUEST, "s-1");
  for (const caller of callers) {
    const [other, id, session] = caller(taskId);
    const missing = `Task with ID ${id} not found`;
    assertEquals(await other.getTask(id, session), null);
    assertEquals((await other.listTasks(undefined, session)).tasks, []);
    for (
      const call of [
        () => other.getTaskResult(id, session),
        () => other.storeTaskResult(id, "completed", {}, session),
        () => other.updateTaskStatus(id, "cancelled", "", session),
      ]
    ) await assertRejects<Error>(call, Error, missing);
  }
});

Deno.test("sdk_unbound_owner_is_resolved_or_default", async () => {
  const byUser = open({}, {
    resolveOwner: (session) => Promise.resolve(session ? "alice" : "public"),
  }).store;
  const { taskId } = await byUser.createTask({}, 1, REQUEST, "s-1");
  assertEquals((await byUser.getTask(taskId, "s-2"))?.taskId, taskId);
  assertEquals(await byUser.getTask(taskId), null);

  const { store, tasks } = open({}, { defaultOwner: "stdio" });
  const task = await store.createTask({}, 1, REQUEST);
  assertEquals((await tasks.get(task.taskId, "stdio")).ownerId, "stdio");
});

Deno.test("sdk_nobody_is_not_an_identity", () => {
  const { store, backend } = open();
  const queue = new SdkTaskMessageQueue(backend.queues);
  for (const identity of ["", undefined, null, 7]) {
    assertThrows(() => store.forOwner(identity as string), TypeError);
    assertThrows(() => queue.forOwner(identity as string), TypeError);
  }
});

Deno.test("sdk_ttl_is_within_the_limits_and_told", async () => {
  const HOUR = 3600_000;
  const limits = { defaultTtlMs: HOUR, maxTtlMs: 2 * HOUR };
  const ttlOf = async (ttl: number | null | undefined, maxTtlMs?: number) => {
    const { store } = open({
      limits: maxTtlMs === undefined ? limits : { ...limits, maxTtlMs },
    });
    return (await store.createTask({ ttl }, 1, REQUEST, "s")).ttl;
  };
  assertEquals(await ttlOf(1000), 1000);
  assertEquals(await ttlOf(999.5), 1000);
  assertEquals(await ttlOf(2 * HOUR), 2 * HOUR);
  assertEquals(await ttlOf(2 * HOUR + 1), 2 * HOUR);
  assertEquals(await ttlOf(null), 2 * HOUR);
  assertEquals(await ttlOf(Infinity), 2 * HOUR);
  for (const none of [undefined, 0, -1, NaN]) {
    assertEquals(await ttlOf(none), HOUR);
  }
  assertEquals(await ttlOf(null, Infinity), null);
  const endless = open({
    limits: { defaultTtlMs: null, maxTtlMs: Infinity },
  }).store;
  assertEquals((await endless.createTask({}, 1, REQUEST, "s")).ttl, null);
  assertEquals(await ttlOf(1e300, Infinity), 1e14);
});

Deno.test("sdk_ttl_counts_anew_from_the_end", async () => {
  for (const end of ["completed", "failed", "cancelled"] as const) {
    let now = 1_000_000;
    const { store } = open({ clock: () => now });
    const { taskId } = await store.createTask({ ttl: 1000 }, 1, REQUEST, "s");
    now += 999;
    if (end === "cancelled") {
      await store.updateTaskStatus(taskId, end, undefined, "s");
    } else await store.storeTaskResult(taskId, end, { content: [] }, "s");
    now += 999;
    assertEquals((await store.getTask(taskId, "s"))?.status, end);
    now += 1;
    assertEquals(await store.getTask(taskId, "s"), null);
  }
});

Deno.test("sdk_quota_refuses_with_its_own_error", async () => {
  const { store } = open({ limits: { maxTasksPerOwner: 1 } });
  await store.createTask({}, 1, REQUEST, "s");
  const create = () => store.createTask({}, 2, REQUEST, "s");
  await assertRejects(create, ResourceExhaustedError);
});

Deno.test("sdk_poll_interval_is_a_positive_integer", async () => {
  const { store } = open({}, { pollIntervalMs: 2000 });
  for (
    const [asked, got] of [
      [undefined, 2000],
      [0, 2000],
      [-5, 2000],
      [
        NaN,
        2000,
      ],
      [0.5, 1],
      [300, 300],
    ] as const
  ) {
    const task = await store
      .createTask({ pollInterval: asked }, 1, REQUEST, "s");
    assertEquals(task.pollInterval, got);
  }
  const plain = await open().store.createTask({}, 1, REQUEST, "s");
  assertEquals(plain.pollInterval, 1000);
  assertThrows(() => open({}, { pollIntervalMs: 0 }), RangeError);
});

Deno.test("sdk_context_is_kept_as_variables", async () => {
  const { store, tasks } = open();
  const context = { seconds: 7 };
  const { taskId } = await store.createTask({ context }, 1, REQUEST, "s");
  const record = await tasks.get(taskId, "s");
  assertEquals(record.variables, context);
  assertEquals(record.requestMethod, "tools/call");
});

Deno.test("sdk_cancelled_task_has_a_result", async () => {
  const { store, tasks } = open();
  const resultOf = (text: string) => ({
    content: [{ type: "text", text }],
    isError: true,
  });
  const create = async () =>
    (await store.createTask({}, 1, REQUEST, "s")).taskId;
  const told = await create();
  await store.updateTaskStatus(told, "cancelled", "no longer wanted", "s");
  assertEquals(
    await store.getTaskResult(told, "s"),
    resultOf("no longer wanted"),
  );
  const untold = await create();
  await tasks.cancel(untold, "s");
  assertEquals(
    await store.getTaskResult(untold, "s"),
    resultOf("The task was cancelled."),
  );
  const partial = await create();
  await tasks.setResult(partial, "s", { content: ["so far"] });
  await tasks.cancel(partial, "s");
  assertEquals(await store.getTaskResult(partial, "s"), {
    content: ["so far"],
  });
});

Deno.test("sdk_failed_task_answers_with_its_error", async () => {
  let now = 1_000_000;
  const { store, tasks } = open({ clock: () => now });
  const { taskId } = await store.createTask({}, 1, REQUEST, "s");
  const data = { retry: false };
  await tasks.fail(taskId, "s", { code: -32099, message: "no paper", data });
  const error = await assertRejects(
    () => store.getTaskResult(taskId, "s"),
    TaskFailedError,
  );
  assertEquals(
    [error.code, error.message, error.data],
    [-32099, "no paper", data],
  );

  const lost = (await store.createTask({}, 1, REQUEST, "s")).taskId;
  await tasks.lease(lost, "s", { forMs: 1000, holder: "w" });
  now += 1000;
  await assertRejects(
    () => store.storeTaskResult(lost, "completed", {}, "s"),
    Error,
    `Cannot store result for task ${lost} in terminal status 'failed'.`,
  );
  await assertRejects(() => store.getTaskResult(lost, "s"), TaskFailedError);
});

Deno.test("sdk_task_of_another_writer_has_no_nulls", async () => {
  const { store, backend, tasks } = open();
  const { taskId } = await store.createTask({}, 1, REQUEST, "s");
  const { version: _, ...record } = await tasks.get(taskId, "s");
  const task = {
    ...record.task,
    statusMessage: null,
    pollInterval: null,
    unknown: 1,
  };
  await backend.put(makeKey("s", taskId), JSON.stringify({ ...record, task }));
  const { createdAt, lastUpdatedAt, ttl } = record.task;
  assertEquals(await store.getTask(taskId, "s"), {
    ...{ taskId, status: "working", ttl, createdAt, lastUpdatedAt },
  });
});

Deno.test("sdk_cursor_outlives_the_task_it_came_from", async () => {
  const { store, tasks } = open();
  const ids: string[] = [];
  for (let n = 0; n < 12; n++) {
    ids.push((await store.createTask({}, 1, REQUEST, "s")).taskId);
  }
  const { nextCursor, tasks: first } = await store.listTasks(undefined, "s");
  assertEquals(first.length, 10);
  for (const { taskId } of first) await tasks.delete(taskId, "s");
  const rest = await store.listTasks(nextCursor, "s");
  const listed = [...first, ...rest.tasks].map(({ taskId }) => taskId);
  assertEquals(listed.toSorted(), ids.toSorted());
  assertEquals("nextCursor" in rest, false);
});

async function keepsOrder(tasks: TaskStore) {
  const store = new SdkTaskStore(tasks).forOwner("alice");
  for (let round = 0; round < 5; round++) {
    const made = await Promise.all(
      Array.from({ length: 25 }, () => store.createTask({}, 1, REQUEST)),
    );
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.listTasks(cursor);
      listed.push(...page.tasks.map(({ taskId }) => taskId));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    assertEquals(listed, made.map(({ taskId }) => taskId));
    for (const { taskId } of made) await tasks.delete(taskId, "alice");
  }
}

// EVIDENCE A4.
Deno.test("sdk_tasks_of_one_millisecond_keep_their_order_in_memory (A4)", async () => {
  const clock = () => 1e12;
  await keepsOrder(new TaskStore(new MemoryBackend({ clock }), { clock }));
  await keepsOrder(new TaskStore(new MemoryBackend()));
});

redisTest(
  "sdk_tasks_of_one_millisecond_keep_their_order (A4)",
  async (redis) => {
    await keepsOrder(new TaskStore(await redis.connect()));
  },
);

Deno.test("sdk_storage_failure_is_not_a_missing_task", async () => {
  const { store, tasks } = open();
  await tasks.close();
  await assertRejects(() => store.getTask("t-1", "s"), TaskStorageError);
  const update = () => store.updateTaskStatus("t-1", "failed", "", "s");
  await assertRejects(update, TaskStorageError);
});

redisTest("sdk_result_is_stored_once_whoever_races", async (redis) => {
  const stores = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const tasks = new TaskStore(await redis.connect());
      return new SdkTaskStore(tasks).forOwner("alice");
    }),
  );
  const { taskId } = await stores[0]!.createTask({}, 1, REQUEST);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 16 }, async (_, n) => {
      await stores[n % 4]!.storeTaskResult(taskId, "completed", { n });
      return n;
    }),
  );
  const winners = outcomes.filter((outcome) => outcome.status === "fulfilled");
  assertEquals(winners.length, 1);
  assertEquals(await stores[1]!.getTaskResult(taskId), {
    n: winners[0]!.value,
  });
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") continue;
    assertEquals(
      outcome.reason.message,
      `Cannot store result for task ${taskId} in terminal status 'completed'. Task results can only be stored once.`,
    );
  }
});
