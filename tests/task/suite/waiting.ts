/**
 * Watching and waiting, most of it from another instance than the writer's.
 * The safety re-read comes after half a minute: what is quick, an event did.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  InvalidTransitionError,
  TASK_STATUSES,
  TaskError,
  TaskExpiredError,
  TaskNotFoundError,
  type TaskRecord,
  type TaskStatus,
  TaskTimeoutError,
} from "../../../mod.ts";
import { deadline, pause, waitUntil } from "../../support/wait.ts";
import {
  as,
  METHOD,
  OWNER,
  rejection,
  started,
  taskIn,
  type TaskTest,
  times,
} from "./env.ts";

const SOON_MS = 5000;

export function waitingTests(test: TaskTest): void {
  test("watch_yields_what_stands_and_every_later_version", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const { task } = await store.create(OWNER, METHOD);
    const seen: (string | number)[][] = [];
    // Each step follows the look at the one before: none may coalesce.
    const steps = [
      () => other.setVariables(task.taskId, OWNER, { n: 1 }),
      () => other.updateStatus(task.taskId, OWNER, "input_required"),
      () => other.updateStatus(task.taskId, OWNER, "working"),
      () => other.completeWithResult(task.taskId, OWNER, 1),
    ];
    await deadline(
      "all versions",
      (async () => {
        for await (const record of store.watch(task.taskId, OWNER)) {
          seen.push([record.version, record.task.status]);
          assertEquals(record, await other.get(task.taskId, OWNER));
          const step = steps[record.version - 1];
          if (step === undefined) break;
          await step();
        }
      })(),
      SOON_MS,
    );
    assertEquals(seen, [
      [1, "working"],
      [2, "working"],
      [3, "input_required"],
      [4, "working"],
      [5, "completed"],
    ]);
  });

  test("watch_ends_with_the_task", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const deleted = await store.create(OWNER, METHOD);
    const expiring = await store.create(OWNER, METHOD, { ttlMs: 1500 });
    const watches = [deleted, expiring].map(({ task }) =>
      store.watch(task.taskId, OWNER)
    );
    const first = await Promise.all(watches.map((watch) => watch.next()));
    assertEquals(first.map(({ value }) => value), [deleted, expiring]);
    await other.delete(deleted.task.taskId, OWNER);
    const rest = Promise.all(watches.map(collect));
    const seen = await deadline("both watches ended", rest, SOON_MS);
    assertEquals(seen, [[], []]);
  });

  test("watch_and_wait_end_with_their_signal", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    const reason = new SyntaxError("enough");
    const calls = [
      (signal: AbortSignal) =>
        collect(store.watch(task.taskId, OWNER, { signal })),
      (signal: AbortSignal) =>
        store.waitFor(task.taskId, OWNER, { final: true, signal }),
    ];
    for (const call of calls) {
      const early = await rejection(
        call(AbortSignal.abort(reason)),
        SyntaxError,
      );
      assertEquals(early, reason);
      const controller = new AbortController();
      const waiting = started(rejection(call(controller.signal), SyntaxError));
      await pause(20);
      controller.abort(reason);
      assertEquals(await deadline("the abort", waiting, 1000), reason);
    }
  });

  test("wait_for_each_state_from_another_instance", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    for (const status of TASK_STATUSES) {
      const record = await taskIn(
        other,
        status === "working" ? "input_required" : "working",
      );
      const { taskId } = record.task;
      const waiting = started(store.waitFor(taskId, OWNER, { status }));
      await pause(10);
      const moved = await other.updateStatus(record, OWNER, status);
      assertEquals(await deadline(status, waiting, SOON_MS), moved);
      // It is there already.
      assertEquals(await store.waitFor(taskId, OWNER, { status }), moved);
    }
  });

  test("wait_for_any_final_state_or_any_of_several", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    for (const status of ["completed", "failed", "cancelled"] as const) {
      const { task } = await other.create(OWNER, METHOD);
      const waiting = started(Promise.all([
        store.waitFor(task.taskId, OWNER, { final: true }),
        store.waitFor(task.taskId, OWNER, { status: "working", final: true }),
        store.waitFor(task.taskId, OWNER, {
          status: ["input_required", status],
        }),
      ]));
      await pause(10);
      await other.updateStatus(task.taskId, OWNER, status);
      const seen = await deadline(status, waiting, SOON_MS);
      assertEquals(
        seen.map((record) => record.task.status),
        [status, "working", status],
      );
    }
  });

  test("wait_ends_in_the_wrong_final_state", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const { task } = await other.create(OWNER, METHOD);
    const status: TaskStatus[] = ["completed", "input_required"];
    const wait = () =>
      rejection(
        store.waitFor(task.taskId, OWNER, { status }),
        InvalidTransitionError,
      );
    const waiting = started(wait());
    await pause(10);
    await other.cancel(task.taskId, OWNER);
    const error = await deadline("the end", waiting, SOON_MS);
    assertEquals([error.from, error.to], ["cancelled", "completed"]);
    assertEquals((await wait()).from, "cancelled");
  });

  test("wait_times_out_and_names_the_state", async (ground) => {
    const store = await ground.open();
    const { taskId } = (await taskIn(store, "input_required")).task;
    const startMs = performance.now();
    const error = await assertRejects(
      () => store.waitFor(taskId, OWNER, { final: true, timeoutMs: 200 }),
      TaskTimeoutError,
    );
    const tookMs = performance.now() - startMs;
    assert(tookMs > 190 && tookMs < 2000, `${tookMs}`);
    assertEquals([error.code, error.taskId], [-32603, taskId]);
    assert(error.message.includes("input_required"), error.message);
    assert(error.message.includes("200"), error.message);
  });

  test("wait_ends_with_the_task", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const expiring = await store.create(OWNER, METHOD, { ttlMs: 1500 });
    const deleted = await store.create(OWNER, METHOD);
    const wait = (taskId: string) =>
      rejection(store.waitFor(taskId, OWNER, { final: true }), TaskError);
    const waiting = started(Promise.all([
      wait(expiring.task.taskId),
      wait(deleted.task.taskId),
      wait("missing"),
    ]));
    await pause(20);
    await other.delete(deleted.task.taskId, OWNER);
    const [expired, gone, missing] = await deadline(
      "the end",
      waiting,
      SOON_MS,
    );
    const { expiredAt } = as(TaskExpiredError, expired);
    assertEquals(expiredAt, expiring.expiresAt);
    as(TaskNotFoundError, gone);
    as(TaskNotFoundError, missing);
  });

  test("wait_follows_a_touched_task_past_its_first_end", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const { task, expiresAt } = await store.create(OWNER, METHOD, {
      ttlMs: 1000,
    });
    const waiting = started(store.waitFor(task.taskId, OWNER, { final: true }));
    await other.touch(task.taskId, OWNER, { ttlMs: 60_000 });
    await waitUntil(
      "the first end has passed",
      () => ground.now() > Date.parse(expiresAt!) + 50,
    );
    await other.completeWithResult(task.taskId, OWNER, 1);
    assertEquals((await deadline("the result", waiting, SOON_MS)).result, 1);
  });

  test("many_wait_for_one_task", async (ground) => {
    const stores = [await ground.open(), await ground.open()];
    const { task } = await stores[0]!.create(OWNER, METHOD);
    const waiting = started(Promise.all(
      times(
        100,
        (n) => stores[n % 2]!.waitFor(task.taskId, OWNER, { final: true }),
      ),
    ));
    await pause(20);
    const done = await stores[1]!.completeWithResult(task.taskId, OWNER, "r");
    for (const record of await deadline("all", waiting, SOON_MS)) {
      assertEquals(record, done);
    }
  });

  test("wait_for_nothing_is_refused", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    for (const options of [{}, { status: [] }, { final: false }]) {
      await assertRejects(
        () => store.waitFor(task.taskId, OWNER, options),
        TypeError,
      );
    }
    for (const timeoutMs of [-1, NaN]) {
      await assertRejects(
        () => store.waitFor(task.taskId, OWNER, { final: true, timeoutMs }),
        RangeError,
      );
    }
  });
}

async function collect(
  records: AsyncIterable<TaskRecord>,
): Promise<TaskRecord[]> {
  const seen: TaskRecord[] = [];
  for await (const record of records) seen.push(record);
  return seen;
}
