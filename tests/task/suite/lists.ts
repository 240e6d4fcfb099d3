/**
 * Pages of an owner's tasks.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  TaskCursorError,
  type TaskPage,
  type TaskRecord,
  type TaskStore,
} from "../../../mod.ts";
import { METHOD, OWNER, ROOMY, STRANGER, type TaskTest } from "./env.ts";

export function listTests(test: TaskTest): void {
  test("list_pages_newest_first_or_oldest", async (ground) => {
    const { store, ids } = await filled(await ground.open(clocked()), 23);
    for (const order of ["newest", "oldest"] as const) {
      const pages = await follow(store, { limit: 10, order });
      assertEquals(pages.map(({ tasks }) => tasks.length), [10, 10, 3]);
      const listed = pages.flatMap(({ tasks }) =>
        tasks.map(({ task }) => task.taskId)
      );
      assertEquals(listed, order === "oldest" ? ids : ids.toReversed());
    }
    const { tasks, nextCursor } = await store.list(OWNER);
    assertEquals([tasks.length, nextCursor], [23, undefined]);
    for (const record of tasks) {
      assertEquals(await store.get(record.task.taskId, OWNER), record);
    }
  });

  test("list_has_fifty_by_default", async (ground) => {
    const { store } = await filled(await ground.open(clocked()), 51);
    const first = await store.list(OWNER);
    assertEquals(first.tasks.length, 50);
    assert(first.nextCursor !== undefined);
    const rest = await store.list(OWNER, { cursor: first.nextCursor });
    assertEquals([rest.tasks.length, rest.nextCursor], [1, undefined]);
  });

  test("list_cursor_stays_good_while_tasks_come_and_go", async (ground) => {
    const { store, ids } = await filled(await ground.open(clocked()), 12);
    const first = await store.list(OWNER, { limit: 4 });
    const cursor = first.nextCursor!;
    // The newest, one already shown and one still to come.
    await store.create(OWNER, METHOD);
    await store.delete(ids[8]!, OWNER);
    await store.delete(ids[6]!, OWNER);
    await store.cancel(ids[5]!, OWNER);
    const { tasks } = await store.list(OWNER, { cursor });
    assertEquals(
      tasks.map(({ task }) => task.taskId),
      [7, 5, 4, 3, 2, 1, 0].map((n) => ids[n]),
    );
  });

  test("list_cursor_of_the_other_order_is_refused", async (ground) => {
    const { store } = await filled(await ground.open(clocked()), 3);
    const { nextCursor: cursor } = await store.list(OWNER, { limit: 1 });
    const error = await assertRejects(
      () => store.list(OWNER, { cursor, order: "oldest" }),
      TaskCursorError,
    );
    assertEquals(error.code, -32602);
    // With it a stranger sees a page of their own, which is empty.
    assertEquals(await store.list(STRANGER, { cursor }), { tasks: [] });
  });

  test("list_order_does_not_change_with_writes", async (ground) => {
    const { store, ids } = await filled(await ground.open(clocked()), 5);
    await store.setVariables(ids[0]!, OWNER, { n: 1 });
    await store.touch(ids[1]!, OWNER, { ttlMs: 7_200_000 });
    await store.completeWithResult(ids[2]!, OWNER, 1);
    const { tasks } = await store.list(OWNER, { order: "oldest" });
    assertEquals(tasks.map(({ task }) => task.taskId), ids);
  });

  test("list_keeps_the_order_of_tasks_made_within_a_millisecond", async (ground) => {
    // Of two instances of one process, whose clock does not move.
    const now = ground.now();
    const options = { clock: () => now, limits: ROOMY };
    const stores = [await ground.open(options), await ground.open(options)];
    const ids: string[] = [];
    const made: Promise<TaskRecord>[] = [];
    for (let n = 0; n < 40; n++) {
      const taskId = crypto.randomUUID();
      ids.push(taskId);
      // A request is hashed first: that changes no order.
      const request = n % 3 === 0 ? { request: n } : {};
      made.push(stores[n % 2]!.create(OWNER, METHOD, { taskId, ...request }));
    }
    const records = await Promise.all(made);
    const createdAt = new Date(now).toISOString();
    for (const { task } of records) assertEquals(task.createdAt, createdAt);
    const store = stores[0]!;
    const listed = async () => {
      const pages = await follow(store, { limit: 7, order: "oldest" });
      return pages.flatMap(({ tasks }) => tasks.map(({ task }) => task.taskId));
    };
    assertEquals(await listed(), ids);
    // No write moves a task, whatever it changes.
    await store.setVariables(records[5]!, OWNER, { n: 1 });
    await store.touch(ids[6]!, OWNER, { ttlMs: 7_200_000 });
    await store.cancel(ids[7]!, OWNER);
    await store.completeWithResult(records[8]!, OWNER, 1);
    assertEquals(await listed(), ids);
    const { tasks } = await store.list(OWNER, { limit: 3 });
    assertEquals(tasks.map(({ task }) => task.taskId), [
      ids[39],
      ids[38],
      ids[37],
    ]);
  });

  test("list_of_active_tasks_leaves_out_what_has_ended", async (ground) => {
    const { store, ids } = await filled(await ground.open(clocked()), 12);
    const ends = [
      (id: string) => store.cancel(id, OWNER),
      (id: string) => store.completeWithResult(id, OWNER, 1),
      (id: string) => store.fail(id, OWNER, { code: 1, message: "no" }),
      (id: string) => store.updateStatus(id, OWNER, "input_required"),
    ];
    for (const [n, id] of ids.entries()) await ends[n % 4]?.(id);
    await store.updateStatus(ids[3]!, OWNER, "working");
    const left = [11, 7, 3].map((n) => ids[n]);
    const active = await store.list(OWNER, { active: true });
    assertEquals(active.tasks.map(({ task }) => task.taskId), left);
    const first = await store.list(OWNER, { active: true, limit: 2 });
    const rest = await store.list(OWNER, {
      active: true,
      cursor: first.nextCursor,
    });
    assertEquals(
      [...first.tasks, ...rest.tasks].map(({ task }) => task.taskId),
      left,
    );
    assertEquals((await store.list(OWNER, { active: false })).tasks.length, 12);
    assertEquals(await store.list(STRANGER, { active: true }), { tasks: [] });
  });
}

/** One task a millisecond: their order is then without doubt. */
function clocked() {
  let now = Date.now();
  return { clock: () => ++now, limits: ROOMY };
}

async function filled(store: TaskStore, count: number) {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    ids.push((await store.create(OWNER, METHOD)).task.taskId);
  }
  return { store, ids };
}

async function follow(
  store: TaskStore,
  options: { limit: number; order: "newest" | "oldest" },
): Promise<TaskPage[]> {
  const pages = [await store.list(OWNER, options)];
  while (true) {
    const cursor = pages.at(-1)?.nextCursor;
    if (cursor === undefined) return pages;
    pages.push(await store.list(OWNER, { ...options, cursor }));
  }
}
