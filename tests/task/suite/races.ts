/**
 * Two instances and more at one task: nothing is lost, nothing is half.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ConcurrentModificationError,
  InvalidTransitionError,
  StorageError,
  TaskNotFoundError,
  TaskStore,
  VersionConflictError,
} from "../../../mod.ts";
import {
  as,
  inBatches,
  interleaved,
  METHOD,
  OWNER,
  reasonsOf,
  ROOMY,
  stored,
  type TaskTest,
  times,
  valuesOf,
} from "./env.ts";

export function raceTests(test: TaskTest): void {
  test("completion_races_cancellation_a_thousand_times", async (ground) => {
    const worker = await ground.open({ limits: ROOMY });
    const client = await ground.open({ limits: ROOMY });
    const wins = { completed: 0, cancelled: 0 };
    await inBatches(1000, 50, async (n) => {
      const record = await worker.create(OWNER, METHOD, {
        taskId: `t-${n}`,
        statusMessage: "at it",
      });
      // By id, which reads first, and by a record held; either one first.
      const ref = n % 2 === 0 ? `t-${n}` : record;
      const complete = () =>
        worker.completeWithResult(ref, OWNER, { n }, "done");
      const cancel = () => client.cancel(ref, OWNER, "enough");
      const race = n % 4 < 2
        ? await Promise.allSettled([complete(), cancel()])
        : (await Promise.allSettled([cancel(), complete()])).reverse();
      const won = race[0]?.status === "fulfilled" ? "completed" : "cancelled";
      wins[won]++;
      const [winner, ...both] = valuesOf(race);
      assertEquals(both, []);
      const error = as(InvalidTransitionError, reasonsOf(race)[0]);
      assert(!(error instanceof StorageError));
      assertEquals(
        [error.from, error.to],
        won === "completed"
          ? ["completed", "cancelled"]
          : ["cancelled", "completed"],
      );
      const { json, version } = await stored(worker.backend, `t-${n}`);
      assertEquals(
        [version, json.task.status, json.task.statusMessage, json.result],
        won === "completed"
          ? [2, "completed", "done", { n }]
          : [2, "cancelled", "enough", null],
      );
      assertEquals(winner, await client.get(`t-${n}`, OWNER));
    });
    assertEquals(wins.completed + wins.cancelled, 1000);
    assert(wins.completed > 0 && wins.cancelled > 0, JSON.stringify(wins));
  });

  test("a_thousand_variables_from_eight_stores_lose_none", async (ground) => {
    const stores = await Promise.all(times(8, () => ground.open()));
    const { task } = await stores[0]!.create(OWNER, METHOD);
    await Promise.all(
      times(
        1000,
        (n) =>
          stores[n % 8]!.setVariables(task.taskId, OWNER, { [`v${n}`]: n }),
      ),
    );
    const { variables, version } = await stores[7]!.get(task.taskId, OWNER);
    assertEquals(
      variables,
      Object.fromEntries(times(1000, (n) => [`v${n}`, n])),
    );
    assertEquals(version, 1001);
  });

  test("counting_from_two_stores_counts_all", async (ground) => {
    const stores = [await ground.open(), await ground.open()];
    const record = await stores[0]!.create(OWNER, METHOD, {
      variables: { n: 0 },
    });
    await Promise.all(
      times(200, (n) =>
        stores[n % 2]!.modify(
          n % 3 === 0 ? record : record.task.taskId,
          OWNER,
          ({ variables }) => ({ variables: { n: Number(variables.n) + 1 } }),
        )),
    );
    const { variables } = await stores[0]!.get(record.task.taskId, OWNER);
    assertEquals(variables, { n: 200 });
  });

  test("writes_of_one_store_take_turns_in_order", async (ground) => {
    // With a single attempt, two at once would be an error.
    const store = await ground.open({ maxWriteAttempts: 1 });
    const { task } = await store.create(OWNER, METHOD);
    const order: number[] = [];
    await Promise.all(
      times(50, (n) =>
        store.modify(task.taskId, OWNER, () => {
          order.push(n);
          return { variables: { [`v${n}`]: n } };
        })),
    );
    assertEquals(order, times(50, (n) => n));
    const { version } = await store.get(task.taskId, OWNER);
    assertEquals(version, 51);
    // One that fails does not hold up, or fail, those behind it.
    const [failed, next] = await Promise.allSettled([
      store.updateStatus(task.taskId, OWNER, "working"),
      store.setVariables(task.taskId, OWNER, { after: 1 }),
    ]);
    assertEquals([failed.status, next.status], ["rejected", "fulfilled"]);
  });

  test("stale_record_is_read_anew_and_changed", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const held = await store.create(OWNER, METHOD);
    await other.setVariables(held.task.taskId, OWNER, { theirs: 1 });
    const seen: number[] = [];
    const record = await store.modify(held, OWNER, (record) => {
      seen.push(record.version);
      return { variables: { ours: record.version } };
    });
    assertEquals(seen, [1, 2]);
    assertEquals(record.variables, { theirs: 1, ours: 2 });
    assertEquals(record.version, 3);
    // The state that counts is the one that stands, not the one held.
    await other.cancel(held.task.taskId, OWNER);
    const error = await assertRejects(
      () => store.completeWithResult(held, OWNER, 1),
      InvalidTransitionError,
    );
    assertEquals(error.from, "cancelled");
  });

  test("refusal_by_a_stale_record_is_made_by_what_stands", async (ground) => {
    const [store, other] = [
      await ground.open({ limits: { maxVariablesBytes: 100 } }),
      await ground.open(),
    ];
    const fresh = () =>
      store.create(OWNER, METHOD, { variables: { big: "x".repeat(80) } });
    const lease = { forMs: 60_000, holder: "w" };

    let held = await fresh();
    await other.updateStatus(held, OWNER, "input_required");
    const working = await store.updateStatus(held, OWNER, "working");
    assertEquals([working.task.status, working.version], ["working", 3]);

    held = await fresh();
    await other.setVariables(held, OWNER, { big: null });
    const small = await store.setVariables(held, OWNER, { n: "y".repeat(30) });
    assertEquals(small.variables, { n: "y".repeat(30) });

    held = await fresh();
    await other.lease(held, OWNER, lease);
    const renewed = await store.renew(held, OWNER, lease);
    assertEquals([renewed.version, renewed.lease?.holder], [1, "w"]);

    // And a task that is gone is gone, whatever else would be wrong.
    held = await fresh();
    await other.delete(held.task.taskId, OWNER);
    await assertRejects(
      () => store.updateStatus(held, OWNER, "working"),
      TaskNotFoundError,
    );
  });

  test("attempts_are_bounded", async (ground) => {
    const other = await ground.open();
    const { task } = await other.create(OWNER, METHOD);
    let attempts = 0;
    // Someone who always writes between our read and our write.
    const backend = interleaved(other.backend, () => {
      const theirs = { [`theirs ${++attempts}`]: 1 };
      return other.setVariables(task.taskId, OWNER, theirs);
    });
    const store = new TaskStore(backend, { maxWriteAttempts: 3 });
    const error = await assertRejects(
      () => store.setVariables(task.taskId, OWNER, { ours: 1 }),
      ConcurrentModificationError,
    );
    assertEquals(attempts, 3);
    assertEquals([error.code, error.taskId], [-32603, task.taskId]);
    assert(error.cause instanceof VersionConflictError, `${error.cause}`);
    const { variables } = await other.get(task.taskId, OWNER);
    assertEquals(Object.keys(variables).length, 3);
    assertEquals(variables.ours, undefined);
  });

  test("change_is_made_anew_on_what_others_wrote", async (ground) => {
    const other = await ground.open();
    const { task } = await other.create(OWNER, METHOD);
    let left = 2;
    const backend = interleaved(other.backend, async () => {
      if (left === 0) return;
      const theirs = { [`theirs ${left--}`]: 1 };
      await other.setVariables(task.taskId, OWNER, theirs);
    });
    const store = new TaskStore(backend);
    const seen: number[] = [];
    const record = await store.modify(task.taskId, OWNER, ({ variables }) => {
      seen.push(Object.keys(variables).length);
      return { status: "completed", result: seen.length };
    });
    assertEquals(seen, [0, 1, 2]);
    assertEquals([record.version, record.result], [4, 3]);
    assertEquals(record.variables, { "theirs 2": 1, "theirs 1": 1 });
  });

  test("task_deleted_by_another_is_missing_to_a_held_record", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const held = await store.create(OWNER, METHOD);
    await other.delete(held.task.taskId, OWNER);
    await assertRejects(
      () => store.setVariables(held, OWNER, { n: 1 }),
      TaskNotFoundError,
    );
    assertEquals(await store.list(OWNER), { tasks: [] });
  });
}
