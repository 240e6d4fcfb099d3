/**
 * Limits at their very boundary, in bytes where they are bytes.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  MemoryBackend,
  ResourceExhaustedError,
  TaskCursorError,
  TaskLimitError,
  type TaskLimits,
  TaskStore,
  type TaskStoreOptions,
} from "../../../mod.ts";
import { METHOD, OWNER, ROOMY, stored, type TaskTest, times } from "./env.ts";

/** One character of each length in UTF-8, and how long it is. */
const CHARACTERS = [["a", 1], ["ä", 2], ["€", 3], ["👋", 4]] as const;

export function limitTests(test: TaskTest): void {
  test("strings_are_bounded_in_bytes", async (ground) => {
    const store = await ground.open({ limits: { maxStringBytes: 1200 } });
    for (const [character, bytes] of CHARACTERS) {
      const exact = character.repeat(1200 / bytes);
      for (const place of stringPlaces) {
        const { task } = await store.create(OWNER, METHOD);
        await store.setVariables(task.taskId, OWNER, place(exact));
        await overLimit(
          () => store.setVariables(task.taskId, OWNER, place(exact + "x")),
          { limit: "maxStringBytes", max: 1200, actual: 1201 },
        );
        await overLimit(
          () => store.create(OWNER, METHOD, { variables: place(exact + "x") }),
          { limit: "maxStringBytes", max: 1200, actual: 1201 },
        );
        assertEquals((await store.get(task.taskId, OWNER)).version, 2);
        await store.delete(task.taskId, OWNER);
      }
    }
  });

  test("variables_are_bounded_in_bytes_of_what_results", async (ground) => {
    const store = await ground.open({ limits: { maxVariablesBytes: 1000 } });
    for (const [character, bytes] of CHARACTERS) {
      // {"a":"…","b":"xx"} with 17 bytes around the text.
      const text = character.repeat(Math.floor(983 / bytes));
      const fill = "x".repeat(983 - bytes * Math.floor(983 / bytes));
      const { task } = await store.create(OWNER, METHOD);
      const set = (variables: Record<string, unknown>) =>
        store.setVariables(task.taskId, OWNER, variables);
      await set({ a: text + fill });
      const over = { limit: "maxVariablesBytes", max: 1000 };
      await overLimit(() => set({ b: "xxx" }), { ...over, actual: 1001 });
      await set({ b: "xx" });
      const { json } = await stored(store.backend, task.taskId);
      assertEquals(
        new TextEncoder().encode(JSON.stringify(json.variables)).length,
        1000,
      );
      await overLimit(() => set({ c: 1 }), { ...over, actual: 1006 });
      // Whatever makes room in the same write counts.
      await set({ b: null, c: "yy" });
      await overLimit(
        () =>
          store.completeWithResult(task.taskId, OWNER, 1).then(() =>
            store.update(task.taskId, OWNER, { variables: { d: 1 } })
          ).catch((error) => {
            assertEquals(error.name, "InvalidTransitionError");
            return store.create(OWNER, METHOD, {
              variables: { a: "x".repeat(993) },
            });
          }),
        { ...over, actual: 1001 },
      );
      await store.create(OWNER, METHOD, { variables: { a: "x".repeat(992) } });
    }
  });

  test("too_much_changes_nothing_else_either", async (ground) => {
    const store = await ground.open({ limits: { maxVariablesBytes: 20 } });
    const { task } = await store.create(OWNER, METHOD);
    const before = await stored(store.backend, task.taskId);
    await assertRejects(
      () =>
        store.update(task.taskId, OWNER, {
          status: "completed",
          result: 1,
          variables: { a: "x".repeat(100) },
        }),
      TaskLimitError,
    );
    assertEquals(await stored(store.backend, task.taskId), before);
  });

  test("depth_is_bounded", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    const set = (a: unknown) => store.setVariables(task.taskId, OWNER, { a });
    for (const wrap of [asArray, asObject, asBoth]) {
      await set(nest(10, wrap));
      await overLimit(() => set(nest(11, wrap)), {
        limit: "maxVariableDepth",
        max: 10,
        actual: 11,
      });
      await overLimit(() => set([1, { deep: nest(10, wrap) }]), {
        limit: "maxVariableDepth",
        max: 10,
        actual: 11,
      });
      await assertRejects(() => set(nest(100_000, wrap)), TaskLimitError);
    }
    const ring: unknown[] = [];
    ring.push(ring);
    await assertRejects(() => set(ring), TaskLimitError);
    assertEquals((await store.get(task.taskId, OWNER)).version, 4);
  });

  test("limits_of_variables_are_about_what_is_stored", async (ground) => {
    const store = await ground.open({
      limits: { maxStringBytes: 100, maxVariablesBytes: 300 },
    });
    const record = await store.create(OWNER, METHOD);
    const json = (value: unknown) => ({ toJSON: () => value });
    class Boxed {
      constructor(readonly field: unknown) {}
    }
    const long = "x".repeat(101);
    const text = { limit: "maxStringBytes", max: 100, actual: 101 };
    const depth = { limit: "maxVariableDepth", max: 10, actual: 11 };
    const size = { limit: "maxVariablesBytes", max: 300 };
    const over: readonly [unknown, Parameters<typeof overLimit>[1]][] = [
      [json(long), text],
      [json({ [long]: 1 }), text],
      [[json([{ a: long }])], text],
      [new Boxed(long), text],
      [new String(long), text],
      [json(nest(11, asBoth)), depth],
      [[json(nest(10, asArray))], depth],
      [new Boxed(nest(10, asObject)), depth],
      [nest(11, (value, i) => [i === 0 ? undefined : value]), depth],
      [json(times(4, () => "x".repeat(100))), { ...size, actual: 419 }],
    ];
    for (const [v, expected] of over) {
      const what = { variables: { v } };
      const writes = [
        () => store.create(OWNER, METHOD, what),
        () => store.setVariables(record, OWNER, what.variables),
        () => store.update(record.task.taskId, OWNER, what),
      ];
      for (const write of writes) await overLimit(write, expected);
    }
    // What is not stored is not judged, however large.
    const small: readonly [unknown, unknown][] = [
      [{ huge: long, toJSON: () => "small" }, "small"],
      [json(undefined), undefined],
      [{ [long]: undefined }, {}],
      [{ deep: nest(20, asArray), toJSON: () => 1 }, 1],
    ];
    for (const [v, kept] of small) {
      const { variables } = await store.create(OWNER, METHOD, {
        variables: { v },
      });
      assertEquals(variables, kept === undefined ? {} : { v: kept });
    }
  });

  test("variables_are_an_object_of_names", async (ground) => {
    const store = await ground.open();
    const record = await store.create(OWNER, METHOD);
    const { taskId } = record.task;
    const before = await stored(store.backend, taskId);
    class Settings {
      a = 1;
    }
    const wrong: readonly [unknown, string][] = [
      ["abc", "a string"],
      ["", "a string"],
      [0, "a number"],
      [null, "null"],
      [[1, 2], "an array"],
      [() => 1, "a function"],
      [new Map([["a", 1]]), "an instance of Map"],
      [new Settings(), "an instance of Settings"],
      [new Date(0), "an instance of Date"],
      [Promise.resolve({ a: 1 }), "a promise"],
    ];
    for (const [value, kind] of wrong) {
      const variables = value as Record<string, unknown>;
      const writes = [
        () => store.create(OWNER, METHOD, { variables }),
        () => store.setVariables(record, OWNER, variables),
        () => store.setVariables(taskId, OWNER, variables),
        () => store.update(record, OWNER, { variables }),
        () => store.modify(taskId, OWNER, () => ({ variables })),
      ];
      for (const write of writes) {
        await assertRejects(write, TypeError, `variables is ${kind}: expected`);
      }
    }
    await assertRejects(
      () => store.setVariables(record, OWNER, undefined as never),
      TypeError,
      "variables is undefined",
    );
    assertEquals(await stored(store.backend, taskId), before);
    assertEquals((await store.list(OWNER)).tasks.length, 1);
  });

  test("defaults_are_those_of_the_design", async (ground) => {
    const store = await ground.open();
    assertEquals(store.limits, {
      maxTasksPerOwner: 1000,
      maxActiveTasksPerOwner: 100,
      defaultTtlMs: 3600_000,
      maxTtlMs: 24 * 3600_000,
      maxVariablesBytes: 1024 * 1024,
      maxVariableDepth: 10,
      maxStringBytes: 64 * 1024,
    });
    await Promise.all(times(100, () => store.create(OWNER, METHOD)));
    const error = await assertRejects(
      () => store.create(OWNER, METHOD),
      ResourceExhaustedError,
    );
    assert(error.message.includes("100 active"), error.message);
    const [{ task } = { task: undefined }] = (await store.list(OWNER)).tasks;
    const set = (variables: Record<string, unknown>) =>
      store.setVariables(task!.taskId, OWNER, variables);
    await set({ a: "€".repeat(21_845) + "x" });
    await assertRejects(
      () => set({ a: "€".repeat(21_845) + "xx" }),
      TaskLimitError,
    );
  });

  test("ttl_is_refused_over_the_maximum_and_never_clamped", async (ground) => {
    const store = await ground.open({ limits: ROOMY });
    const day = 24 * 3600_000;
    const { task } = await store.create(OWNER, METHOD, { ttlMs: day });
    assertEquals(task.ttl, day);
    const over = { limit: "maxTtlMs", max: day };
    await overLimit(() => store.create(OWNER, METHOD, { ttlMs: day + 1 }), {
      ...over,
      actual: day + 1,
    });
    await overLimit(() => store.create(OWNER, METHOD, { ttlMs: null }), {
      ...over,
      actual: Infinity,
    });
    const touch = (ttlMs: number) => store.touch(task.taskId, OWNER, { ttlMs });
    await touch(day);
    await overLimit(() => touch(day + 1), { ...over, actual: day + 1 });
    assertEquals((await store.get(task.taskId, OWNER)).version, 2);
    for (const ttlMs of [0, -1, 1.5, NaN, Infinity]) {
      await assertRejects(
        () => store.create(OWNER, METHOD, { ttlMs }),
        RangeError,
      );
      await assertRejects(() => touch(ttlMs), RangeError);
    }
    for (const pollIntervalMs of [0, -1, 0.5, NaN, Infinity]) {
      await assertRejects(
        () => store.create(OWNER, METHOD, { pollIntervalMs }),
        RangeError,
      );
    }
    assertEquals((await store.list(OWNER)).tasks.length, 1);
  });

  test("task_without_an_end_where_allowed", async (ground) => {
    const store = await ground.open({ limits: { maxTtlMs: Infinity } });
    const record = await store.create(OWNER, METHOD, { ttlMs: null });
    assertEquals([record.task.ttl, record.expiresAt], [null, null]);
    const done = await store.completeWithResult(record, OWNER, 1);
    assertEquals([done.task.ttl, done.expiresAt], [null, null]);
    assertEquals(await store.get(record.task.taskId, OWNER), done);
    await store.delete(record.task.taskId, OWNER);
  });

  test("default_ttl_of_null_gives_tasks_without_an_end", async (ground) => {
    const limits = { defaultTtlMs: null, maxTtlMs: Infinity };
    const store = await ground.open({ limits });
    assertEquals(store.limits.defaultTtlMs, null);
    const record = await store.create(OWNER, METHOD);
    assertEquals([record.task.ttl, record.expiresAt], [null, null]);
    assertEquals(await store.get(record.task.taskId, OWNER), record);
    const ending = await store.create(OWNER, METHOD, { ttlMs: 60_000 });
    assertEquals(ending.task.ttl, 60_000);
    await store.delete(record.task.taskId, OWNER);
  });

  test(
    "record_too_large_for_the_storage_says_so",
    async (ground) => {
      const store = await ground.open();
      const { task } = await store.create(OWNER, METHOD);
      const error = await assertRejects(
        () => store.completeWithResult(task.taskId, OWNER, "x".repeat(10_000)),
        ResourceExhaustedError,
      );
      assertEquals(error.code, -32603);
      assert(error.message.includes("10000"), error.message);
      assert(/elsewhere/.test(error.suggestedAction));
      assertEquals((await store.get(task.taskId, OWNER)).version, 1);
    },
    { maxRecordBytes: 10_000 },
  );

  test("pages_are_checked", async (ground) => {
    const store = await ground.open();
    for (const limit of [0, -1, 1.5, 1001, NaN]) {
      await assertRejects(() => store.list(OWNER, { limit }), RangeError);
    }
    for (const cursor of ["", "x", "ä", "AAAA", "0".repeat(10_000)]) {
      const error = await assertRejects(
        () => store.list(OWNER, { cursor }),
        TaskCursorError,
      );
      assertEquals(error.code, -32602);
    }
  });

  test("options_are_checked", () => {
    const wrong: TaskStoreOptions[] = [
      ...(Object.keys(
        new TaskStore(new MemoryBackend()).limits,
      ) as (keyof TaskLimits)[]).flatMap((name) =>
        [0, -1, 1.5, NaN].map((value) => ({ limits: { [name]: value } }))
      ),
      { limits: { defaultTtlMs: 25 * 3600_000 } },
      { limits: { maxTtlMs: 1000 } },
      // Without an end is longer than 24 hours.
      { limits: { defaultTtlMs: null } },
      { limits: { maxTasksPerOwner: Infinity } },
      { pollIntervalMs: 0 },
      { maxWriteAttempts: 0 },
      { retention: "never" as "creation" },
    ];
    for (const options of wrong) {
      assertThrows(
        () => new TaskStore(new MemoryBackend(), options),
        RangeError,
        undefined,
        JSON.stringify(options),
      );
    }
    return Promise.resolve();
  });
}

/** Where a string may stand in the variables. */
const stringPlaces: readonly ((text: string) => Record<string, unknown>)[] = [
  (text) => ({ a: text }),
  (text) => ({ [text]: 1 }),
  (text) => ({ a: [{ b: [text] }] }),
  (text) => ({ a: [{ [text]: 1 }] }),
];

async function overLimit(
  call: () => Promise<unknown>,
  expected: { limit: string; max: number; actual: number },
): Promise<void> {
  const error = await assertRejects(call, TaskLimitError);
  const { limit, max, actual, code } = error;
  assertEquals({ limit, max, actual }, expected, error.message);
  assertEquals(code, -32602);
  assert(error.message.includes(limit), error.message);
}

const asArray = (value: unknown) => [value];
const asObject = (value: unknown) => ({ a: value });
const asBoth = (value: unknown, i: number) =>
  i % 2 === 0 ? [value] : { a: value };

/** A value inside so many arrays or objects. */
function nest(
  depth: number,
  wrap: (value: unknown, i: number) => unknown,
): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = wrap(value, i);
  return value;
}
