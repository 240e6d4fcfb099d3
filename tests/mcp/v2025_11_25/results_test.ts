/**
 * EVIDENCE A6: a result that JSON or the storage cannot hold fails its task
 * and says why; what JSON can hold is stored as it is.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  InvalidTransitionError,
  MemoryBackend,
  SdkTaskStore,
  TaskFailedError,
  TaskStore,
} from "../../../mod.ts";

const REQUEST = { method: "tools/call", params: { name: "slow" } };

function open(maxRecordBytes?: number) {
  const backend = new MemoryBackend({ maxRecordBytes });
  const tasks = new TaskStore(backend);
  const told: unknown[] = [];
  const store = new SdkTaskStore(tasks, {
    onError: (error) => void told.push(error),
  }).forOwner("alice");
  const create = async () => (await store.createTask({}, 1, REQUEST)).taskId;
  return { tasks, store, told, create };
}

const circular: Record<string, unknown> = { content: [] };
circular.again = { inside: circular };

for (
  const [name, result, reason] of [
    ["a_bigint", { n: { m: 1n } }, "the result.n.m is a bigint"],
    ["a_cycle", circular, "the result.again.inside contains itself"],
    ["a_function", { content: [], f: () => 1 }, "the result.f is a function"],
    [
      "a_function_in_a_list",
      { content: [() => 1] },
      "the result.content[0] is a function",
    ],
    ["a_symbol", { s: Symbol("s") }, "the result.s is a symbol"],
    [
      "undefined_in_a_list",
      { content: [1, undefined] },
      "the result.content[1] is undefined",
    ],
    [
      "a_hole_in_a_list",
      { content: Array(1) },
      "the result.content[0] is undefined",
    ],
    ["undefined", undefined, "the result is undefined"],
    ["a_getter_that_throws", {
      get x() {
        throw new Error("no x");
      },
    }, "the result cannot be read: no x"],
    ["a_getter_that_throws_no_text", {
      get x() {
        throw Object.create(null);
      },
    }, "the result cannot be read: what was thrown cannot be shown as text"],
    ["an_invalid_date", {
      date: new Date(NaN),
      toJSON() {
        throw new RangeError("no date");
      },
    }, "cannot be read: no date"],
  ] as const
) {
  Deno.test(`sdk_result_with_${name}_fails_its_task (A6)`, async () => {
    for (const status of ["completed", "failed"] as const) {
      const { store, told, create } = open();
      const taskId = await create();
      await store.storeTaskResult(taskId, status, result as never);
      const task = await store.getTask(taskId);
      assertEquals(task?.status, "failed");
      const says = task?.statusMessage ?? "";
      assert(says.startsWith("the result could not be stored: "), says);
      assert(says.includes(reason), says);
      const error = await assertRejects(
        () => store.getTaskResult(taskId),
        TaskFailedError,
        reason,
      );
      assertEquals(error.code, -32603);
      assertEquals(told.length, 1);
      await assertRejects(
        () => store.storeTaskResult(taskId, "completed", {}),
        Error,
        "in terminal status 'failed'",
      );
    }
  });
}

Deno.test("sdk_result_over_the_size_of_a_record_fails_its_task (A6)", async () => {
  const { store, told, create } = open(10_000);
  const taskId = await create();
  const content = [{ type: "text", text: "x".repeat(20_000) }];
  await store.storeTaskResult(taskId, "completed", { content });
  const task = await store.getTask(taskId);
  assertEquals(task?.status, "failed");
  assert(task?.statusMessage?.includes("over the limit of 10000"));
  assertEquals(told.length, 1);
});

Deno.test("sdk_result_that_json_can_hold_is_stored_as_it_is", async () => {
  const shared = { twice: true };
  let deep: unknown = 1;
  for (let n = 0; n < 500; n++) deep = [deep];
  for (
    const [result, stored] of [
      [{ content: [], _meta: undefined, isError: undefined }, { content: [] }],
      [{ a: shared, b: shared, c: [shared] }, {
        a: shared,
        b: shared,
        c: [shared],
      }],
      [{ at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
      [{ n: NaN, m: -0 }, { n: null, m: 0 }],
      [{ text: "\ud800 half" }, { text: "\ud800 half" }],
      [{ deep }, { deep }],
      [Object.create(null, { x: { value: 1, enumerable: true } }), { x: 1 }],
    ] as const
  ) {
    const { store, told, create } = open();
    const taskId = await create();
    await store.storeTaskResult(taskId, "completed", result as never);
    assertEquals(await store.getTaskResult(taskId), stored);
    assertEquals(told, []);
  }
});

Deno.test("sdk_update_to_the_same_state_changes_the_message (A6)", async () => {
  const { store, tasks, create } = open();
  const taskId = await create();
  await store.updateTaskStatus(taskId, "working", "one");
  assertEquals((await store.getTask(taskId))?.statusMessage, "one");
  await tasks.updateStatus(taskId, "alice", "working", "two");
  assertEquals((await store.getTask(taskId))?.statusMessage, "two");
  const held = await tasks.get(taskId, "alice");
  const later = await tasks.updateStatus(held, "alice", "working", "three");
  assertEquals(later.task.statusMessage, "three");
  // Without a message there is nothing to change; the end stays the end.
  const refused = [
    () => tasks.updateStatus(taskId, "alice", "working"),
    async () => {
      await tasks.cancel(taskId, "alice", "enough");
      await tasks.updateStatus(taskId, "alice", "cancelled", "once more");
    },
  ];
  for (const call of refused) {
    await assertRejects<unknown>(call, InvalidTransitionError);
  }
  assertEquals((await store.getTask(taskId))?.statusMessage, "enough");
});
