/**
 * Two instances and more at one task: nothing is lost, nothing is half.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  ConcurrentModificationError,
  InvalidTransitionError,
  StorageError,
  TaskNotFoundError,
  type TaskRecord,
  TaskStorageError,
  TaskStore,
  VersionConflictError,
} from "../../../mod.ts";
import { waitUntil } from "../../support/wait.ts";
import {
  as,
  inBatches,
  intercepted,
  interleaved,
  METHOD,
  OWNER,
  reasonsOf,
  recordJson,
  rejection,
  ROOMY,
  seedRaw,
  settled,
  stored,
  type TaskTest,
  times,
  valuesOf,
} from "./env.ts";
import { MUTATIONS } from "./transitions.ts";

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

  test("stale_record_is_read_again_and_changed", async (ground) => {
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
    // The state that counts is the one that is stored, not the one held.
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
    assertEquals((await store.renew(held, OWNER, lease)).lease?.holder, "w");

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

  test("change_is_made_again_on_what_others_wrote", async (ground) => {
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
    assertEquals(await store.delete(held, OWNER), false);
  });

  test("record_of_an_earlier_task_of_its_id_changes_nothing", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const lease = { forMs: 60_000, holder: "worker-1" };
    const calls: (readonly [
      string,
      (held: TaskRecord) => Promise<unknown>,
    ])[] = [
      ...MUTATIONS.map(({ name, run }) =>
        [name, (held: TaskRecord) => run(store, held)] as const
      ),
      ["release", (held) => store.release(held, OWNER, lease)],
    ];
    for (const [name, call] of calls) {
      // The later task: of the same version, or a later one; free or leased.
      for (const later of [1, 2, 3]) {
        for (const isLeased of [false, true]) {
          const options = isLeased ? { taskId: "t", lease } : { taskId: "t" };
          const held = await store.create(OWNER, METHOD, options);
          await other.delete("t", OWNER);
          const made = await other.create(OWNER, METHOD, { taskId: "t" });
          for (let version = 1; version < later; version++) {
            await other.setVariables("t", OWNER, { version });
          }
          const before = await stored(store.backend, "t");
          const what = `${name} over version ${later}, leased: ${isLeased}`;
          const released = isLeased && name === "release";
          // A lease that is no more is released, by whatever name.
          if (released) await call(held);
          else await rejection(call(held), TaskNotFoundError, what);
          assertEquals(await store.delete(held, OWNER), false, what);
          assertEquals(await stored(store.backend, "t"), before, what);
          const now = await other.get("t", OWNER);
          assertEquals([now.runId, now.lease], [made.runId, undefined], what);
          await other.delete("t", OWNER);
        }
      }
    }
  });

  test("record_past_its_end_does_not_end_a_later_task_of_its_id", async (ground) => {
    const store = await ground.open();
    const options = { taskId: "t", ttlMs: 100 };
    const held = await store.create(OWNER, METHOD, options);
    await ground.elapse(101);
    await waitUntil(
      "the task gone",
      () => store.get("t", OWNER).then(() => false, () => true),
    );
    const later = await store.create(OWNER, METHOD, { taskId: "t" });
    for (const { name, run } of MUTATIONS) {
      await rejection(run(store, held), TaskNotFoundError, name);
    }
    assertEquals(await store.get("t", OWNER), later);
  });

  test("tasks_of_other_programs_are_told_apart_by_their_creation", async (ground) => {
    const store = await ground.open();
    await seedRaw(store.backend, "t", recordJson("t"));
    const held = await store.get("t", OWNER);
    // The same task, rewritten by a program that keeps no names of writes.
    await seedRaw(store.backend, "t", recordJson("t", { task: held.task }));
    const record = await store.setVariables(held, OWNER, { n: 1 });
    assertEquals(record.variables, { n: 1 });
    const createdAt = "2025-11-25T08:09:10.123Z";
    await seedRaw(store.backend, "t", recordJson("t", { task: { createdAt } }));
    await rejection(
      store.setVariables(record, OWNER, { n: 2 }),
      TaskNotFoundError,
    );
  });

  test("held_record_that_is_deleted_is_the_task_it_names", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const held = await store.create(OWNER, METHOD);
    // It may be out of date: it is the same task.
    await other.setVariables(held.task.taskId, OWNER, { n: 1 });
    assertEquals(await store.delete(held, OWNER), true);
    assertEquals(await store.delete(held, OWNER), false);
    const foreign = { ...held, ownerId: "mallory" };
    await rejection(store.delete(foreign, OWNER), TaskNotFoundError);
  });

  test("own_write_told_as_a_conflict_is_no_conflict", async (ground) => {
    const { backend } = await ground.open();
    let changes = 0;
    // A storage that loses its first answer and tries again by itself.
    const store = new TaskStore(intercepted(backend, async (name, call) => {
      const answer = await call();
      if (name !== "putIfVersion" || ++changes > 1) return answer;
      throw new VersionConflictError("alice:t", 1, 2);
    }));
    const record = await store.create(OWNER, METHOD, { variables: { n: 0 } });
    const written = await store.modify(record, OWNER, ({ variables }) => ({
      variables: { n: Number(variables.n) + 1 },
    }));
    assertEquals([written.version, written.variables], [2, { n: 1 }]);
    assertEquals(changes, 1);
  });

  test("unconfirmed_write_tells_what_is_stored", async (ground) => {
    const { backend } = await ground.open();
    const store = new TaskStore(intercepted(backend, async (name, call) => {
      const version = await call();
      if (name === "get") return version;
      throw new BackendError("0 of 1 replicas", {
        outcome: "applied",
        ...(typeof version === "number" ? { version } : {}),
      });
    }));
    const lease = { forMs: 60_000, holder: "worker-1" };
    for (const options of [{}, { lease }]) {
      const created = await rejection(
        store.create(OWNER, METHOD, options),
        TaskStorageError,
      );
      const record = created.record!;
      const { taskId } = record.task;
      assertEquals(settled(record), settled(await store.get(taskId, OWNER)));
      const done = await rejection(
        store.completeWithResult(record, OWNER, 1),
        TaskStorageError,
      );
      assertEquals(done.record, await store.get(taskId, OWNER));
    }
  });
}
