/**
 * Owners: no method tells a stranger that a task exists, or lets one touch it.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AnonymousOwnerError,
  makeKey,
  type TaskError,
  TaskNotFoundError,
  type TaskRecord,
  type TaskRef,
  type TaskStore,
} from "../../../mod.ts";
import { deadline } from "../../support/wait.ts";
import {
  METHOD,
  OWNER,
  recordJson,
  rejection,
  seedRaw,
  stored,
  STRANGER,
  type TaskTest,
} from "./env.ts";
import { MUTATIONS } from "./transitions.ts";

/** Every method that reads or changes one task. */
export const METHODS: readonly [
  string,
  (store: TaskStore, taskId: string, owner: string) => Promise<unknown>,
][] = [
  ["get", (store, id, owner) => store.get(id, owner)],
  ["getResult", (store, id, owner) => store.getResult(id, owner)],
  [
    "watch",
    (store, id, owner) => store.watch(id, owner)[Symbol.asyncIterator]().next(),
  ],
  [
    "waitFor",
    (store, id, owner) => store.waitFor(id, owner, { final: true }),
  ],
  [
    "signalFor",
    async (store, id, owner) => {
      const signal = store.signalFor(id, owner);
      await deadline("the signal aborted", aborted(signal));
      throw signal.reason;
    },
  ],
  ...MUTATIONS.map(({ name, run }): typeof METHODS[number] => [name, run]),
];

export function ownerTests(test: TaskTest): void {
  test("foreign_task_is_missing_to_every_method", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD, {
      variables: { secret: 1 },
    });
    const before = await stored(store.backend, task.taskId);
    const missing = crypto.randomUUID();
    for (const [name, call] of METHODS) {
      const [foreign, absent] = await Promise.all([
        rejection(call(store, task.taskId, STRANGER), TaskNotFoundError, name),
        rejection(call(store, missing, STRANGER), TaskNotFoundError, name),
      ]);
      assertEquals(
        describe(foreign).replaceAll(task.taskId, missing),
        describe(absent),
        name,
      );
      assertEquals([foreign.code, foreign.taskId], [-32602, task.taskId], name);
    }
    assertEquals(await store.delete(task.taskId, STRANGER), false);
    assertEquals(await store.list(STRANGER), { tasks: [] });
    assertEquals(await stored(store.backend, task.taskId), before);
    assertEquals((await store.list(OWNER)).tasks.length, 1);
  });

  test("foreign_record_opens_no_door", async (ground) => {
    const store = await ground.open();
    const record = await store.create(OWNER, METHOD);
    const { taskId } = record.task;
    const before = await stored(store.backend, taskId);
    const forged: TaskRecord = { ...record, ownerId: STRANGER };
    for (const { name, run } of MUTATIONS) {
      // As it is, and passed off as the stranger's own.
      for (const ref of [record, forged] satisfies TaskRef[]) {
        await rejection(run(store, ref, STRANGER), TaskNotFoundError, name);
      }
      // An owner with another's record is a stranger to it, too.
      await rejection(run(store, forged, OWNER), TaskNotFoundError, name);
    }
    assertEquals(await stored(store.backend, taskId), before);
    assertEquals(await store.list(STRANGER), { tasks: [] });
  });

  test("record_that_names_another_owner_is_nobodys", async (ground) => {
    const store = await ground.open();
    const planted = [
      recordJson("t-1", { ownerId: STRANGER }),
      recordJson("t-2", { task: { taskId: "t-1" } }),
    ];
    for (const [i, json] of planted.entries()) {
      const taskId = `t-${i + 1}`;
      await seedRaw(store.backend, taskId, json);
      const before = await stored(store.backend, taskId);
      for (const [name, call] of METHODS) {
        for (const owner of [OWNER, STRANGER]) {
          await rejection(call(store, taskId, owner), TaskNotFoundError, name);
        }
      }
      assertEquals(await stored(store.backend, taskId), before);
    }
    await store.create(OWNER, METHOD, { taskId: "t-3" });
    const { tasks } = await store.list(OWNER);
    assertEquals(tasks.map(({ task }) => task.taskId), ["t-3"]);
    assertEquals(await store.list(STRANGER), { tasks: [] });
  });

  test("look_alike_owners_never_meet", async (ground) => {
    const store = await ground.open();
    const owners = [
      "a",
      "a:b",
      "a%3Ab",
      "A",
      "a ",
      "{a}",
      "a*",
      "auth0|7",
      "https://idp.example/x?y#z",
      "ä",
      "a\u0308",
      "\u0000",
    ];
    const ids = ["t", "b:t", "a:t"];
    for (const owner of owners) {
      for (const taskId of ids) {
        await store.create(owner, METHOD, {
          taskId,
          variables: { owner },
          request: owner,
        });
      }
    }
    for (const owner of owners) {
      const { tasks } = await store.list(owner);
      assertEquals(tasks.length, ids.length, owner);
      for (const record of tasks) {
        assertEquals([record.ownerId, record.variables], [owner, { owner }]);
      }
      await store.cancel("t", owner, owner);
    }
    for (const owner of owners) {
      const { task } = await store.get("t", owner);
      assertEquals(task.statusMessage, owner);
      assertEquals((await store.get("b:t", owner)).version, 1);
      assertEquals(await store.delete("t", owner), true);
    }
    assertEquals((await store.list("a")).tasks.length, ids.length - 1);
  });

  test("ids_that_cannot_be_are_missing", async (ground) => {
    const store = await ground.open();
    for (const id of ["", "\ud800", "\udc00x"]) {
      for (const [name, call] of METHODS) {
        await rejection(call(store, id, OWNER), TaskNotFoundError, name);
      }
      assertEquals(await store.delete(id, OWNER), false);
    }
  });

  test("anonymous_owner_is_refused_by_every_method", async (ground) => {
    const store = await ground.open();
    const open = await ground.open({ allowAnonymous: true });
    const { task } = await open.create("local", METHOD);
    for (const owner of ["", "local"]) {
      const calls = [
        ...METHODS.filter(([name]) => name !== "signalFor"),
        ["create", () => store.create(owner, METHOD)],
        ["list", () => store.list(owner)],
        ["delete", () => store.delete(task.taskId, owner)],
      ] as typeof METHODS;
      for (const [name, call] of calls) {
        const error = await assertRejects(
          async () => await call(store, task.taskId, owner),
          AnonymousOwnerError,
          undefined,
          name,
        );
        assertEquals(error.code, -32602);
        assert(error.message.includes(JSON.stringify(owner)));
      }
    }
    assertEquals((await open.get(task.taskId, "local")).version, 1);
  });

  test("anonymous_owner_where_allowed_is_one", async (ground) => {
    const store = await ground.open({ allowAnonymous: true });
    const { task, ownerId } = await store.create("", METHOD);
    assertEquals(ownerId, "local");
    assertEquals((await store.get(task.taskId, "local")).task, task);
    assertEquals((await store.get(task.taskId, "")).task, task);
    const record = await store.get(task.taskId, "");
    await store.cancel(record, "");
    assertEquals((await store.list("local")).tasks.length, 1);
    const { data } = await store.backend.get(makeKey("local", task.taskId));
    assertEquals(JSON.parse(data).ownerId, "local");
    await assertRejects(() => store.get(task.taskId, OWNER), TaskNotFoundError);
  });
}

/** All a stranger could tell two errors apart by. */
function describe(error: TaskError): string {
  return JSON.stringify([
    error.name,
    error.message,
    { ...error },
    error.cause ?? null,
  ]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
