/**
 * The end of a task: its TTL, `touch` and retention.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  TaskExpiredError,
  TaskNotFoundError,
  type TaskRecord,
} from "../../../mod.ts";
import { waitUntil } from "../../support/wait.ts";
import {
  leaseFor,
  METHOD,
  OWNER,
  rejection,
  type TaskTest,
  untilLost,
} from "./env.ts";
import { MUTATIONS } from "./transitions.ts";

export function expiryTests(test: TaskTest): void {
  test("expired_task_is_missing_by_id_and_expired_by_record", async (ground) => {
    const store = await ground.open();
    const held = await store.create(OWNER, METHOD, { ttlMs: 1000 });
    const { taskId } = held.task;
    assertEquals((await store.get(taskId, OWNER)).version, 1);
    await ground.elapse(1001);
    await waitUntil(
      "the task gone",
      () => store.get(taskId, OWNER).then(() => false, () => true),
    );
    await assertRejects(() => store.get(taskId, OWNER), TaskNotFoundError);
    assertEquals(await store.list(OWNER), { tasks: [] });
    assertEquals(await store.delete(taskId, OWNER), false);
    for (const { name, run } of MUTATIONS) {
      await rejection(run(store, taskId), TaskNotFoundError, name);
      const byRecord = await rejection(
        run(store, held),
        TaskExpiredError,
        name,
      );
      assertEquals(
        [byRecord.code, byRecord.taskId, byRecord.expiredAt],
        [-32602, taskId, held.expiresAt],
      );
    }
    assertEquals(await store.list(OWNER), { tasks: [] });
  });

  test("cleanup_frees_what_has_expired", async (ground) => {
    const store = await ground.open();
    for (let n = 0; n < 5; n++) {
      await store.create(OWNER, METHOD, { ttlMs: n < 3 ? 50 : 60_000 });
    }
    await ground.elapse(60);
    const removed = await store.cleanupExpired();
    // Redis has removed them by itself.
    assertEquals(removed, ground.movesTheClock ? 3 : 0);
    assertEquals((await store.list(OWNER)).tasks.length, 2);
    assertEquals(await store.cleanupExpired(), 0);
  });

  test("touch_moves_the_end_from_now", async (ground) => {
    let now = Date.now();
    const store = await ground.open({ clock: () => now });
    const first = await store.create(OWNER, METHOD, {
      ttlMs: 60_000,
      statusMessage: "at it",
      variables: { a: 1 },
    });
    now += 10_000;
    const later = await store.touch(first.task.taskId, OWNER, {
      ttlMs: 120_000,
    });
    const createdMs = Date.parse(first.task.createdAt);
    assertEquals(later, {
      ...first,
      task: {
        ...first.task,
        // Still counted from creation, as `expiresAt` says.
        ttl: 130_000,
        lastUpdatedAt: new Date(createdMs + 10_000).toISOString(),
      },
      expiresAt: new Date(createdMs + 130_000).toISOString(),
      version: 2,
      etag: later.etag,
    });
    assertEquals(await store.get(first.task.taskId, OWNER), later);
    const sooner = await store.touch(later, OWNER, { ttlMs: 30_000 });
    assertEquals(
      Date.parse(sooner.expiresAt!) - Date.parse(sooner.task.lastUpdatedAt),
      30_000,
    );
  });

  test("touched_task_outlives_its_ttl", async (ground) => {
    const store = await ground.open();
    const ttlMs = 1000;
    let record = await store.create(OWNER, METHOD, { ttlMs });
    const firstEndMs = Date.parse(record.expiresAt!);
    while (ground.now() < firstEndMs + ttlMs / 2) {
      await ground.elapse(ttlMs / 10);
      record = await store.touch(record.task.taskId, OWNER, { ttlMs });
    }
    assertEquals(await store.get(record.task.taskId, OWNER), record);
    assertEquals((await store.list(OWNER)).tasks.length, 1);
    await ground.elapse(ttlMs + 1);
    await waitUntil(
      "the task gone",
      async () => (await store.list(OWNER)).tasks.length === 0,
    );
  });

  for (const retention of ["creation", "completion"] as const) {
    test(`retention_${retention}_sets_the_end_of_a_final_task`, async (ground) => {
      let now = Date.now();
      const store = await ground.open({ retention, clock: () => now });
      const ends: ((record: TaskRecord) => Promise<TaskRecord>)[] = [
        (record) => store.completeWithResult(record, OWNER, 1),
        (record) => store.fail(record, OWNER, { code: -1, message: "no" }),
        (record) => store.cancel(record, OWNER),
        (record) => store.updateStatus(record, OWNER, "completed"),
        async (record) => {
          const lease = leaseFor(ground);
          await store.lease(record, OWNER, lease);
          await untilLost(ground, lease);
          return await store.get(record.task.taskId, OWNER);
        },
      ];
      for (const end of ends) {
        const working = await store.create(OWNER, METHOD, { ttlMs: 600_000 });
        now += 60_000;
        const asked = await store.updateStatus(
          working,
          OWNER,
          "input_required",
        );
        assertEquals(asked.expiresAt, working.expiresAt);
        now += 60_000;
        const final = await end(asked);
        const from = retention === "creation"
          ? final.task.createdAt
          : final.task.lastUpdatedAt;
        assertEquals(
          Date.parse(final.expiresAt!),
          Date.parse(from) + 600_000,
          final.task.status,
        );
        assertEquals(final.task.ttl, 600_000);
        assertEquals(await store.get(final.task.taskId, OWNER), final);
      }
    });
  }

  test("retention_completion_keeps_the_result_for_a_ttl", async (ground) => {
    const byCreation = await ground.open();
    const byCompletion = await ground.open({ retention: "completion" });
    const ttlMs = 1500;
    await byCreation.create(OWNER, METHOD, { taskId: "short", ttlMs });
    await byCompletion.create(OWNER, METHOD, { taskId: "long", ttlMs });
    await ground.elapse(ttlMs / 2);
    await byCreation.completeWithResult("short", OWNER, 1);
    await byCompletion.completeWithResult("long", OWNER, 1);
    await ground.elapse(ttlMs / 2 + 50);
    await assertRejects(
      () => byCreation.getResult("short", OWNER),
      TaskNotFoundError,
    );
    assertEquals(await byCompletion.getResult("long", OWNER), 1);
    await ground.elapse(ttlMs / 2);
    await waitUntil(
      "the task gone",
      () => byCompletion.get("long", OWNER).then(() => false, () => true),
    );
  });
}
