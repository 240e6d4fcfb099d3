/**
 * Leases: who holds a task, and for how long. They are by the store's clock,
 * so one of the test's own lets them run out at once on any engine.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { LeaseHeldError } from "../../../mod.ts";
import {
  clocked,
  METHOD,
  OWNER,
  type TaskTest,
  times,
  valuesOf,
} from "./env.ts";

const LEASE = { forMs: 60_000, holder: "worker-1" };

export function leaseTests(test: TaskTest): void {
  test("lease_names_its_holder_and_end", async (ground) => {
    const { store, pass } = await clocked(ground);
    const record = await store.create(OWNER, METHOD);
    const leased = await store.lease(record, OWNER, LEASE);
    const startMs = Date.parse(record.task.createdAt);
    assertEquals(leased.lease, {
      holder: "worker-1",
      expiresAt: new Date(startMs + 60_000).toISOString(),
    });
    assertEquals(leased.task, record.task, "the client sees nothing of it");
    pass(40_000);
    const renewed = await store.renew(leased, OWNER, LEASE);
    assertEquals(Date.parse(renewed.lease!.expiresAt), startMs + 100_000);
    // Other writes neither prolong nor end it.
    pass(1000);
    const written = await store.setVariables(renewed, OWNER, { n: 1 });
    const asked = await store.updateStatus(written, OWNER, "input_required");
    assertEquals(asked.lease, renewed.lease);
    assertEquals(await store.get(record.task.taskId, OWNER), asked);
  });

  test("lease_is_one_workers_at_a_time", async (ground) => {
    const { store } = await clocked(ground);
    const { task } = await store.create(OWNER, METHOD);
    const other = { ...LEASE, holder: "worker-2" };
    const none = await assertRejects(
      () => store.renew(task.taskId, OWNER, LEASE),
      LeaseHeldError,
    );
    assertEquals(none.holder, undefined);
    await store.lease(task.taskId, OWNER, LEASE);
    for (const call of ["lease", "renew"] as const) {
      const error = await assertRejects(
        () => store[call](task.taskId, OWNER, other),
        LeaseHeldError,
      );
      assertEquals([error.code, error.holder], [-32603, "worker-1"]);
    }
    // Its own holder may take it again, as after a restart.
    assertEquals(
      (await store.lease(task.taskId, OWNER, LEASE)).lease?.holder,
      "worker-1",
    );
  });

  test("racing_workers_lease_a_task_once", async (ground) => {
    const stores = await Promise.all(times(4, () => ground.open()));
    for (let n = 0; n < 20; n++) {
      const { task } = await stores[0]!.create(OWNER, METHOD);
      const race = await Promise.allSettled(
        stores.map((store, i) =>
          store.lease(task.taskId, OWNER, { ...LEASE, holder: `worker-${i}` })
        ),
      );
      const won = valuesOf(race);
      assertEquals(won.length, 1);
      const { lease, version } = await stores[0]!.get(task.taskId, OWNER);
      assertEquals([lease, version], [won[0]!.lease, 2]);
    }
  });

  test("renewed_lease_is_not_lost_by_an_old_record", async (ground) => {
    const { store, pass } = await clocked(ground);
    const { task } = await store.create(OWNER, METHOD);
    const old = await store.lease(task.taskId, OWNER, LEASE);
    pass(50_000);
    await store.renew(task.taskId, OWNER, LEASE);
    pass(20_000);
    const record = await store.setVariables(old, OWNER, { n: 1 });
    assertEquals([record.task.status, record.version], ["working", 4]);
    const again = await store.renew(old, OWNER, LEASE);
    assertEquals(again.lease?.holder, "worker-1");
    const done = await store.completeWithResult(old, OWNER, 1);
    assertEquals(done.task.status, "completed");
  });

  test("task_is_created_with_a_lease", async (ground) => {
    const { store, clock, pass } = await clocked(ground);
    const record = await store.create(OWNER, METHOD, { lease: LEASE });
    const expiresAt = new Date(clock() + 60_000).toISOString();
    assertEquals(record.lease, { holder: "worker-1", expiresAt });
    assertEquals(await store.get(record.task.taskId, OWNER), record);
    await assertRejects(
      () => store.lease(record, OWNER, { ...LEASE, holder: "worker-2" }),
      LeaseHeldError,
    );
    pass(60_000);
    const lost = await store.get(record.task.taskId, OWNER);
    assertEquals([lost.task.status, lost.version], ["failed", 2]);
    for (const lease of [{ ...LEASE, forMs: 0 }, { ...LEASE, holder: "" }]) {
      await assertRejects(() => store.create(OWNER, METHOD, { lease }));
    }
    assertEquals((await store.list(OWNER)).tasks.length, 1);
  });

  test("lease_options_are_checked", async (ground) => {
    const { store } = await clocked(ground);
    const { task } = await store.create(OWNER, METHOD);
    for (const call of ["lease", "renew"] as const) {
      for (const forMs of [0, -1, 1.5, NaN, Infinity, 2 ** 31]) {
        await assertRejects(
          () => store[call](task.taskId, OWNER, { ...LEASE, forMs }),
          RangeError,
        );
      }
      await assertRejects(
        () => store[call](task.taskId, OWNER, { ...LEASE, holder: "" }),
        TypeError,
      );
    }
    assertEquals((await store.get(task.taskId, OWNER)).version, 1);
  });
}
