/**
 * Leases: a task whose worker is lost is failed once, by whoever looks, and
 * the late worker is refused. The lease is by the store's clock, so a clock of
 * the test's own lets it run out at once on any engine.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  LeaseHeldError,
  LeaseLostError,
  type TaskRecord,
  TaskStore,
} from "../../mod.ts";
import {
  type Ground,
  inBatches,
  meddled,
  METHOD,
  OWNER,
  plant,
  recordJson,
  rejection,
  ROOMY,
  stored,
  type TaskTest,
  times,
  valuesOf,
} from "./harness.ts";
import { MUTATIONS } from "./transitions.ts";

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

  test("lost_worker_fails_the_task_once_among_many_readers", async (ground) => {
    const { store, pass, clock } = await clocked(ground);
    const stores = [store];
    while (stores.length < 4) {
      stores.push(await ground.open({ clock, limits: ROOMY }));
    }
    for (const status of ["working", "input_required"] as const) {
      const { task } = await store.create(OWNER, METHOD);
      const { taskId } = task;
      if (status !== "working") {
        await store.updateStatus(taskId, OWNER, status);
      }
      const leased = await store.lease(taskId, OWNER, LEASE);
      pass(59_999);
      assertEquals((await store.get(taskId, OWNER)).version, leased.version);
      pass(1);
      const readers = times(40, (n) => LOOKS[n % 3]!(stores[n % 4]!, taskId));
      const seen = await Promise.all(readers);
      const { version } = await store.backend.get(`${OWNER}:${taskId}`);
      assertEquals(version, leased.version + 1, "one reader wrote, once");
      for (const record of seen) assertEquals(record, seen[0]);
      assertLost(seen[0], clock());
    }
  });

  test("list_alone_fails_all_it_finds_lost", async (ground) => {
    const { store, pass } = await clocked(ground);
    await inBatches(30, 30, async (n) => {
      const record = await store.create(OWNER, METHOD, { taskId: `t-${n}` });
      if (n % 3 === 0) await store.lease(record, OWNER, LEASE);
    });
    pass(60_000);
    const { tasks } = await store.list(OWNER);
    assertEquals(tasks.length, 30);
    for (const { task, version } of tasks) {
      const lost = Number(task.taskId.slice(2)) % 3 === 0;
      assertEquals(
        [task.status, version],
        lost ? ["failed", 3] : ["working", 1],
      );
    }
    assertEquals((await stored(store.backend, "t-3")).version, 3);
    assertEquals((await store.list(OWNER)).tasks, tasks);
  });

  test("task_without_a_lease_is_never_lost", async (ground) => {
    const { store, pass } = await clocked(ground);
    const { task } = await store.create(OWNER, METHOD);
    const ended = await store.create(OWNER, METHOD);
    await store.lease(ended, OWNER, LEASE);
    const done = await store.completeWithResult(
      ended.task.taskId,
      OWNER,
      "result",
    );
    assertEquals(done.lease, undefined, "a final task is nobody's");
    pass(10 * 365 * 24 * 3600_000);
    assertEquals((await store.get(task.taskId, OWNER)).task.status, "working");
    assertEquals(await store.get(ended.task.taskId, OWNER), done);
    const { tasks } = await store.list(OWNER);
    assertEquals(tasks.map(({ version }) => version).sort(), [1, 3]);
  });

  for (const by of ["id", "record"] as const) {
    test(`late_worker_is_refused_by_${by}`, async (ground) => {
      const { store, pass, clock } = await clocked(ground);
      const other = await ground.open({ clock, limits: ROOMY });
      for (const { name, to, run } of MUTATIONS) {
        // Whether someone has looked at the task since, or nobody has.
        for (const looked of [true, false]) {
          const { task } = await store.create(OWNER, METHOD);
          const held = await store.lease(task.taskId, OWNER, LEASE);
          pass(60_000);
          if (looked) await other.get(task.taskId, OWNER);
          const ref = by === "id" ? task.taskId : held;
          const error = await rejection(
            run(store, ref),
            LeaseLostError,
            name,
          );
          assertEquals(
            [error.code, error.from, error.to, error.holder, error.taskId],
            [-32602, "failed", to ?? "failed", "worker-1", task.taskId],
            name,
          );
          assert(error.message.includes("lease"), error.message);
          const record = await other.get(task.taskId, OWNER);
          assertEquals(record.version, 3, name);
          assertLost(record, clock());
        }
      }
    });
  }

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

  test("renewal_between_a_readers_look_and_its_write_wins", async (ground) => {
    // The worker's clock is behind: to it, the lease still holds.
    const { store, pass, clock } = await clocked(ground);
    const behind = await ground.open({ clock: () => clock() - 1000 });
    const { task } = await behind.create(OWNER, METHOD);
    await behind.lease(task.taskId, OWNER, { ...LEASE, forMs: 10_000 });
    pass(9500);
    let meddle = true;
    const reader = new TaskStore(
      meddled(store.backend, async () => {
        if (!meddle) return;
        meddle = false;
        await behind.renew(task.taskId, OWNER, LEASE);
      }),
      { clock },
    );
    const record = await reader.get(task.taskId, OWNER);
    assertEquals([meddle, record.task.status], [false, "working"]);
    assertEquals(record.version, 3);
    assertEquals(await behind.get(task.taskId, OWNER), record);
  });

  test("lease_options_are_checked", async (ground) => {
    const { store } = await clocked(ground);
    const { task } = await store.create(OWNER, METHOD);
    for (const call of ["lease", "renew"] as const) {
      for (const forMs of [0, -1, 1.5, NaN, Infinity]) {
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

  test("lease_as_long_as_time_is_refused_or_kept", async (ground) => {
    const { store } = await clocked(ground);
    const { task } = await store.create(OWNER, METHOD);
    const lease = store.lease(task.taskId, OWNER, {
      ...LEASE,
      forMs: Number.MAX_SAFE_INTEGER,
    });
    // A time no date can name is the caller's mistake, not a broken record.
    await lease.catch((error) => assert(error instanceof RangeError));
    assertEquals((await store.get(task.taskId, OWNER)).task.status, "working");
  });

  test("lease_of_another_program_is_honoured", async (ground) => {
    const store = await ground.open();
    const lease = { holder: "rust", expiresAt: "2025-01-01T00:00:00.123456Z" };
    await plant(store.backend, "t-1", recordJson("t-1", { lease }));
    assertLost(await store.get("t-1", OWNER), Date.now(), "rust");
  });
}

/** The ways to look at a task. */
const LOOKS: readonly ((
  store: TaskStore,
  taskId: string,
) => Promise<TaskRecord | undefined>)[] = [
  (store, taskId) => store.get(taskId, OWNER),
  async (store, taskId) => {
    const { tasks } = await store.list(OWNER);
    return tasks.find(({ task }) => task.taskId === taskId);
  },
  async (store, taskId) => {
    for await (const record of store.watch(taskId, OWNER)) return record;
  },
];

/** A store whose clock the test moves. */
async function clocked(ground: Ground) {
  let now = Date.now();
  const clock = () => now;
  const store = await ground.open({
    clock,
    // Nothing here may end before its time.
    limits: { ...ROOMY, maxTtlMs: 24 * 3600_000, defaultTtlMs: 24 * 3600_000 },
  });
  return { store, clock, pass: (ms: number) => now += ms };
}

function assertLost(
  record: TaskRecord | undefined,
  now: number,
  holder = "worker-1",
): void {
  const { task, lease, error, result } = record!;
  assertEquals([task.status, result], ["failed", null]);
  assert(task.statusMessage!.startsWith("worker lost"), task.statusMessage);
  assert(task.statusMessage!.includes(holder));
  assertEquals(error, { code: -32603, message: task.statusMessage! });
  assertEquals(lease?.holder, holder);
  assert(Date.parse(lease!.lostAt!) <= now);
  assertEquals(task.lastUpdatedAt, lease!.lostAt);
}
