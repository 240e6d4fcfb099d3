/**
 * Pages of an owner's tasks.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  TaskCursorError,
  type TaskPage,
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
