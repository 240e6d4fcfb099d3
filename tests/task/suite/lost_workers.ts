/**
 * A task whose worker is lost is failed once, by whoever looks or waits, and
 * the late worker is refused.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { LeaseLostError, type TaskRecord, TaskStore } from "../../../mod.ts";
import { deadline, pause } from "../../support/wait.ts";
import {
  clocked,
  inBatches,
  interleaved,
  METHOD,
  OWNER,
  recordJson,
  rejection,
  ROOMY,
  seedRaw,
  started,
  stored,
  type TaskTest,
  times,
} from "./env.ts";
import { MUTATIONS } from "./transitions.ts";

const LEASE = { forMs: 60_000, holder: "worker-1" };
const SOON_MS = 5000;

export function lostWorkerTests(test: TaskTest): void {
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

  test("renewal_between_a_readers_look_and_its_write_wins", async (ground) => {
    // The worker's clock is behind: to it, the lease still holds.
    const { store, pass, clock } = await clocked(ground);
    const behind = await ground.open({ clock: () => clock() - 1000 });
    const { task } = await behind.create(OWNER, METHOD);
    await behind.lease(task.taskId, OWNER, { ...LEASE, forMs: 10_000 });
    pass(9500);
    let meddle = true;
    const reader = new TaskStore(
      interleaved(store.backend, async () => {
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

  test("lease_of_another_program_is_honoured", async (ground) => {
    const store = await ground.open();
    const lease = { holder: "rust", expiresAt: "2025-01-01T00:00:00.123456Z" };
    await seedRaw(store.backend, "t-1", recordJson("t-1", { lease }));
    assertLost(await store.get("t-1", OWNER), Date.now(), "rust");
  });

  test("waiting_reader_learns_of_a_lost_worker", async (ground) => {
    const [store, worker] = [await ground.open(), await ground.open()];
    const { task } = await worker.create(OWNER, METHOD);
    await worker.lease(task.taskId, OWNER, { forMs: 150, holder: "w" });
    // Nobody writes or reads the task but those who wait.
    const waiting = started(Promise.all([
      store.waitFor(task.taskId, OWNER, { final: true }),
      worker.waitFor(task.taskId, OWNER, { status: "failed" }),
      versionsUntilFinal(store, task.taskId),
    ]));
    const [a, b, versions] = await deadline("the loss", waiting, SOON_MS);
    assertEquals(a, b);
    assertEquals([a.task.status, a.version], ["failed", 3]);
    assertEquals(versions, [2, 3]);
  });

  test("waiting_reader_follows_a_renewed_lease", async (ground) => {
    const [store, worker] = [await ground.open(), await ground.open()];
    const { task } = await worker.create(OWNER, METHOD);
    const lease = { forMs: 400, holder: "w" };
    await worker.lease(task.taskId, OWNER, lease);
    const waiting = started(store.waitFor(task.taskId, OWNER, { final: true }));
    for (let n = 0; n < 4; n++) {
      await pause(150);
      await worker.renew(task.taskId, OWNER, lease);
    }
    const record = await deadline("the loss", waiting, SOON_MS);
    assertEquals([record.task.status, record.version], ["failed", 7]);
  });

  test("waiting_reader_learns_of_a_lost_worker_by_a_slow_clock", async (ground) => {
    // Timers and clocks are two things: one may wake before the other is due.
    const startMs = Date.now();
    const clock = () => startMs + Math.floor((Date.now() - startMs) * 0.8);
    const store = await ground.open({ clock });
    const { task } = await store.create(OWNER, METHOD);
    await store.lease(task.taskId, OWNER, { forMs: 200, holder: "w" });
    const controller = new AbortController();
    const waiting = started(store.waitFor(task.taskId, OWNER, {
      final: true,
      signal: controller.signal,
    }));
    try {
      const record = await deadline("the loss", waiting, 2000);
      assertEquals(record.task.status, "failed");
    } finally {
      controller.abort();
      await waiting.catch(() => {});
    }
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

async function versionsUntilFinal(
  store: TaskStore,
  taskId: string,
): Promise<number[]> {
  const versions: number[] = [];
  for await (const { task, version } of store.watch(taskId, OWNER)) {
    versions.push(version);
    if (task.status === "failed") break;
  }
  return versions;
}
