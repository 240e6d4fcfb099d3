/**
 * A task whose worker is lost is failed once, by one who looks or waits, and
 * the late worker is refused.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  LeaseLostError,
  type LeaseOptions,
  type StorageBackend,
  type TaskRecord,
  TaskStore,
  type VersionedRecord,
} from "../../../mod.ts";
import { deadline, waitUntil } from "../../support/wait.ts";
import {
  inBatches,
  intercepted,
  interleaved,
  leaseFor,
  METHOD,
  OWNER,
  recordJson,
  rejection,
  ROOMY,
  seedRaw,
  settled,
  started,
  stored,
  type TaskTest,
  times,
  untilLost,
} from "./env.ts";
import { MUTATIONS } from "./transitions.ts";

const SOON_MS = 5000;

export function lostWorkerTests(test: TaskTest): void {
  test("lost_worker_fails_the_task_once_among_many_readers", async (ground) => {
    const lease = leaseFor(ground);
    const stores = await Promise.all(
      times(4, () => ground.open({ limits: ROOMY })),
    );
    const store = stores[0]!;
    for (const status of ["working", "input_required"] as const) {
      const { task } = await store.create(OWNER, METHOD);
      const { taskId } = task;
      if (status !== "working") {
        await store.updateStatus(taskId, OWNER, status);
      }
      const leased = await store.lease(taskId, OWNER, lease);
      assertEquals((await store.get(taskId, OWNER)).version, leased.version);
      await untilLost(ground, lease);
      const readers = times(40, (n) => LOOKS[n % 3]!(stores[n % 4]!, taskId));
      const seen = await Promise.all(readers);
      const { version } = await store.backend.get(`${OWNER}:${taskId}`);
      assertEquals(version, leased.version + 1, "one reader wrote, once");
      for (const record of seen) assertEquals(record, seen[0]);
      assertLost(seen[0], ground.now());
    }
  });

  test("task_of_a_lost_worker_keeps_neither_questions_nor_answers", async (ground) => {
    const store = await ground.open();
    const lease = leaseFor(ground);
    const record = await store.create(OWNER, METHOD, { lease });
    await store.update(record, OWNER, {
      status: "input_required",
      inputRequests: { name: { method: "elicitation/create" } },
      inputResponses: { pin: { action: "accept" } },
    });
    await untilLost(ground, lease);
    const lost = await store.get(record.task.taskId, OWNER);
    assertEquals(lost.task.status, "failed");
    assertEquals([lost.inputRequests, lost.inputResponses], [
      undefined,
      undefined,
    ]);
  });

  test("list_alone_fails_all_it_finds_lost", async (ground) => {
    const store = await ground.open({ limits: ROOMY });
    const lease = leaseFor(ground);
    await inBatches(30, 30, async (n) => {
      await store.create(OWNER, METHOD, {
        taskId: `t-${n}`,
        ...(n % 3 === 0 ? { lease } : {}),
      });
    });
    await untilLost(ground, lease);
    // Where only active tasks are wanted, these have just ceased to be.
    const active = await store.list(OWNER, { active: true });
    assertEquals(active.tasks.length, 20);
    const { tasks } = await store.list(OWNER);
    assertEquals(tasks.length, 30);
    for (const { task, version } of tasks) {
      const lost = Number(task.taskId.slice(2)) % 3 === 0;
      assertEquals(
        [task.status, version],
        lost ? ["failed", 2] : ["working", 1],
      );
    }
    assertEquals((await stored(store.backend, "t-3")).version, 2);
    assertEquals((await store.list(OWNER)).tasks, tasks);
    assertEquals(await store.list(OWNER, { active: true }), active);
  });

  test("task_without_a_lease_is_never_lost", async (ground) => {
    const store = await ground.open();
    const lease = leaseFor(ground);
    const { task } = await store.create(OWNER, METHOD);
    const ended = await store.create(OWNER, METHOD, { lease });
    const done = await store.completeWithResult(
      ended.task.taskId,
      OWNER,
      "result",
    );
    assertEquals(done.lease, undefined, "a final task has no worker");
    await untilLost(ground, lease);
    assertEquals((await store.get(task.taskId, OWNER)).task.status, "working");
    assertEquals(await store.get(ended.task.taskId, OWNER), done);
    const { tasks } = await store.list(OWNER);
    assertEquals(tasks.map(({ version }) => version).sort(), [1, 2]);
  });

  for (const by of ["id", "record"] as const) {
    test(`late_worker_is_refused_by_${by}`, async (ground) => {
      const store = await ground.open({ limits: ROOMY });
      const other = await ground.open({ limits: ROOMY });
      const lease = leaseFor(ground);
      const held = new Map<string, TaskRecord>();
      // Whether the task has been looked at since, or not.
      const cases = MUTATIONS.flatMap((mutation) =>
        [true, false].map((looked) => ({ ...mutation, looked }))
      );
      for (const [n, _] of cases.entries()) {
        const record = await store.create(OWNER, METHOD, { lease });
        held.set(`${n}`, record);
      }
      await untilLost(ground, lease);
      for (const [n, { name, to, run, looked }] of cases.entries()) {
        const record = held.get(`${n}`)!;
        const { taskId } = record.task;
        if (looked) await other.get(taskId, OWNER);
        const error = await rejection(
          run(store, by === "id" ? taskId : record),
          LeaseLostError,
          name,
        );
        assertEquals(
          [error.code, error.from, error.to, error.holder, error.taskId],
          [-32602, "failed", to ?? "failed", "worker-1", taskId],
          name,
        );
        assert(error.message.includes("lease"), error.message);
        const failed = await other.get(taskId, OWNER);
        assertEquals(failed.version, 2, name);
        assertLost(failed, ground.now());
      }
    });
  }

  test("instances_whose_clocks_differ_by_an_hour_lose_no_worker", async (ground) => {
    const lease: LeaseOptions = { forMs: 60_000, holder: "worker-1" };
    const hour = 3600_000;
    const worker = await ground.open();
    for (const skewMs of [-hour, hour]) {
      const reader = await ground.open({
        clock: () => ground.now() + skewMs,
        limits: { maxTtlMs: 48 * hour },
      });
      const { task } = await worker.create(OWNER, METHOD, {
        lease,
        ttlMs: 4 * hour,
      });
      const read = await reader.get(task.taskId, OWNER);
      assertEquals([read.task.status, read.version], ["working", 1]);
      // And what such an instance leases is lost no sooner and no later.
      const own = await reader.create(OWNER, METHOD, {
        lease: leaseFor(ground, "worker-2"),
        ttlMs: 4 * hour,
      });
      const { taskId } = own.task;
      assertEquals((await worker.get(taskId, OWNER)).task.status, "working");
      await untilLost(ground, leaseFor(ground));
      assertEquals((await worker.get(taskId, OWNER)).task.status, "failed");
    }
  });

  test("renewal_between_a_readers_look_and_its_write_wins", async (ground) => {
    const store = await ground.open();
    const lease = leaseFor(ground);
    const { task } = await store.create(OWNER, METHOD, { lease });
    let meddle = true;
    const reader = new TaskStore(
      interleaved(store.backend, async () => {
        if (!meddle) return;
        meddle = false;
        // Another takes the task just before the reader fails it.
        const key = `${OWNER}:${task.taskId}`;
        await store.backend.leases!.acquire(key, {
          holder: "worker-2",
          forMs: 60_000,
        });
      }, "leases.expire"),
    );
    await untilLost(ground, lease);
    const record = await reader.get(task.taskId, OWNER);
    assertEquals([meddle, record.task.status], [false, "working"]);
    assertEquals([record.version, record.lease?.holder], [1, "worker-2"]);
    assertEquals(
      settled(await store.get(task.taskId, OWNER)),
      settled(record),
    );
  });

  test("reader_that_takes_a_lease_for_lost_is_corrected", async (ground) => {
    const worker = await ground.open();
    const lease = leaseFor(ground);
    const leased = await worker.create(OWNER, METHOD, { lease });
    const { taskId } = leased.task;
    const reader = new TaskStore(estimating(worker.backend, 0));
    const record = await reader.get(taskId, OWNER);
    assertEquals(settled(record), settled(leased));
    assert(record.lease!.remainingMs > 0, `${record.lease!.remainingMs}`);
    assertEquals(settled(await worker.get(taskId, OWNER)), settled(leased));
  });

  test("writer_that_takes_a_lost_lease_for_good_is_corrected", async (ground) => {
    const { backend } = await ground.open();
    const lease = leaseFor(ground);
    const store = new TaskStore(estimating(backend, 60_000), {
      maxWriteAttempts: 2,
    });
    const calls = [
      (taskId: string) => store.renew(taskId, OWNER, lease),
      (taskId: string) => store.cancel(taskId, OWNER),
    ];
    const records = await Promise.all(
      calls.map(() => store.create(OWNER, METHOD, { lease })),
    );
    await untilLost(ground, lease);
    for (const [n, call] of calls.entries()) {
      const { taskId } = records[n]!.task;
      // To a look alone it seems to hold; a write asks the storage.
      assertEquals((await store.get(taskId, OWNER)).task.status, "working");
      await rejection(call(taskId), LeaseLostError);
      const record = await new TaskStore(backend).get(taskId, OWNER);
      assertEquals(record.version, 2);
      assertLost(record, ground.now());
    }
  });

  test("write_under_a_lease_that_has_just_run_out_is_refused", async (ground) => {
    const { backend } = await ground.open();
    const lease = leaseFor(ground);
    // It runs out between a store's read and its write.
    const store = new TaskStore(
      interleaved(backend, () => untilLost(ground, lease)),
    );
    const { task } = await store.create(OWNER, METHOD, { lease });
    await rejection(
      store.setVariables(task.taskId, OWNER, { n: 1 }),
      LeaseLostError,
    );
    const record = await new TaskStore(backend).get(task.taskId, OWNER);
    assertEquals([record.version, record.variables], [2, {}]);
    assertLost(record, ground.now());
  });

  test("lease_in_the_text_of_a_record_is_none", async (ground) => {
    const store = await ground.open();
    // Version 0.1.0 kept leases there.
    const lease = { holder: "old", expiresAt: "2025-01-01T00:00:00.000Z" };
    await seedRaw(store.backend, "t-1", recordJson("t-1", { lease }));
    const record = await store.get("t-1", OWNER);
    assertEquals([record.task.status, record.lease], ["working", undefined]);
    await store.setVariables(record, OWNER, { n: 1 });
    const { json } = await stored(store.backend, "t-1");
    assertEquals(json.lease, undefined);
  });

  test("watch_of_a_lost_task_yields_its_end_once", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const lease = leaseFor(ground);
    const { task } = await store.create(OWNER, METHOD, { lease });
    await untilLost(ground, lease);
    const watch = store.watch(task.taskId, OWNER);
    const first = await watch.next();
    assertEquals([first.value.task.status, first.value.version], ["failed", 2]);
    const second = started(watch.next());
    await other.delete(task.taskId, OWNER);
    assertEquals((await deadline("the end", second, SOON_MS)).done, true);
  });

  test("waiting_reader_learns_of_a_lost_worker", async (ground) => {
    const [store, worker] = [await ground.open(), await ground.open()];
    const { task } = await worker.create(OWNER, METHOD);
    await worker.lease(task.taskId, OWNER, { forMs: 800, holder: "w" });
    // The task is written and read by those alone who wait.
    const waiting = started(Promise.all([
      store.waitFor(task.taskId, OWNER, { final: true }),
      worker.waitFor(task.taskId, OWNER, { status: "failed" }),
      versionsUntilFinal(store, task.taskId),
    ]));
    const [a, b, versions] = await deadline("the loss", waiting, SOON_MS);
    assertEquals(a, b);
    assertEquals([a.task.status, a.version], ["failed", 2]);
    assertEquals(versions, [1, 2]);
  });

  test("waiting_reader_follows_a_renewed_lease", async (ground) => {
    const [store, worker] = [await ground.open(), await ground.open()];
    const lease = { forMs: 600, holder: "w" };
    const leased = await worker.create(OWNER, METHOD, { lease });
    const { taskId } = leased.task;
    const waiting = started(store.waitFor(taskId, OWNER, { final: true }));
    const startMs = Date.now();
    let renewedMs = startMs;
    await waitUntil("twice the lease is over", async () => {
      await worker.renew(leased, OWNER, lease);
      renewedMs = Date.now();
      return renewedMs - startMs > 2 * lease.forMs;
    }, { everyMs: lease.forMs / 6 });
    const record = await deadline("the loss", waiting, SOON_MS);
    assertEquals([record.task.status, record.version], ["failed", 2]);
    assert(
      Date.parse(record.lostLease!.lostAt) >= renewedMs + lease.forMs - 50,
      `${record.lostLease!.lostAt}`,
    );
  });

  test("many_waiters_of_one_instance_look_once", async (ground) => {
    const { backend } = await ground.open();
    let looks = 0;
    const store = new TaskStore(
      interleaved(backend, () => Promise.resolve(looks++), "get"),
    );
    const lease = { forMs: 800, holder: "w" };
    const { task } = await store.create(OWNER, METHOD, { lease });
    const waiting = started(Promise.all(
      times(50, () => store.waitFor(task.taskId, OWNER, { final: true })),
    ));
    for (const record of await deadline("the loss", waiting, SOON_MS)) {
      assertEquals([record.task.status, record.version], ["failed", 2]);
    }
    // A timer may be a little early, and then looks again.
    assert(looks >= 1 && looks <= 5, `${looks} looks`);
  });

  test("waiting_reader_learns_of_a_lost_worker_by_a_slow_clock", async (ground) => {
    // Timers and clocks are two things: one may wake before the other is due.
    const startMs = Date.now();
    const clock = () => startMs + Math.floor((Date.now() - startMs) * 0.8);
    const store = await ground.open({ clock });
    const { task } = await store.create(OWNER, METHOD);
    await store.lease(task.taskId, OWNER, { forMs: 800, holder: "w" });
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

/** The same storage, whose reads give every lease so much time. */
function estimating(
  backend: StorageBackend,
  remainingMs: number,
): StorageBackend {
  return intercepted(backend, async (name, call) => {
    const answer = await call();
    if (name !== "get") return answer;
    const { lease, ...record } = answer as VersionedRecord;
    return lease ? { ...record, lease: { ...lease, remainingMs } } : record;
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
  const { task, lease, lostLease, error, result } = record!;
  assertEquals([task.status, result], ["failed", null]);
  assert(task.statusMessage!.startsWith("worker lost"), task.statusMessage);
  // Clients read it: the name of a worker, a host's perhaps, is not for them.
  assert(!task.statusMessage!.includes(holder), task.statusMessage);
  assertEquals(error, { code: -32603, message: task.statusMessage! });
  assertEquals([lease, lostLease?.holder], [undefined, holder]);
  assert(Date.parse(lostLease!.lostAt) <= now);
  assertEquals(task.lastUpdatedAt, lostLease!.lostAt);
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
