/**
 * Leases: who holds a task, and for how long. The storage's clock decides.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  FencedError,
  InvalidTransitionError,
  LeaseHeldError,
  LeaseLostError,
  makeKey,
  type StorageBackend,
  TaskNotFoundError,
  type TaskRecord,
  TaskStore,
} from "../../../mod.ts";
import {
  intercepted,
  interleaved,
  leaseFor,
  METHOD,
  OWNER,
  rejection,
  settled,
  stored,
  type TaskTest,
  times,
  untilLost,
  valuesOf,
} from "./env.ts";

/** How far an instance may be off in what it thinks of a lease. */
const ESTIMATE_MS = 100;

export function leaseTests(test: TaskTest): void {
  test("lease_names_its_holder_and_changes_nothing_else", async (ground) => {
    const store = await ground.open();
    const lease = leaseFor(ground);
    const record = await store.create(OWNER, METHOD);
    const before = await stored(store.backend, record.task.taskId);
    const leased = await store.lease(record, OWNER, lease);
    assertLease(leased, ground.now(), lease.forMs);
    const { lease: _, ...rest } = leased;
    assertEquals(rest, record);
    assertEquals(await stored(store.backend, record.task.taskId), before);

    await ground.elapse(lease.forMs / 2);
    const read = await store.get(record.task.taskId, OWNER);
    assertLease(read, ground.now(), lease.forMs / 2);
    assertEquals(settled(read), settled(leased));
    const renewed = await store.renew(leased, OWNER, lease);
    assertLease(renewed, ground.now(), lease.forMs);
    assertEquals(settled(renewed), settled(leased));
    assertEquals(await stored(store.backend, record.task.taskId), before);
    // Other writes neither renew nor end it.
    const written = await store.setVariables(renewed, OWNER, { n: 1 });
    const asked = await store.updateStatus(written, OWNER, "input_required");
    assertEquals(asked.lease, renewed.lease);
    const { json } = await stored(store.backend, record.task.taskId);
    assertEquals(json.lease, undefined, "it is no part of the data");
    assertEquals(
      settled(await store.get(record.task.taskId, OWNER)),
      settled(asked),
    );
  });

  test("lease_is_one_workers_at_a_time", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    const lease = { forMs: 60_000, holder: "worker-1" };
    const other = { ...lease, holder: "worker-2" };
    const none = await assertRejects(
      () => store.renew(task.taskId, OWNER, lease),
      LeaseHeldError,
    );
    assertEquals(none.holder, undefined);
    const first = await store.lease(task.taskId, OWNER, lease);
    for (const call of ["lease", "renew"] as const) {
      const error = await assertRejects(
        () => store[call](task.taskId, OWNER, other),
        LeaseHeldError,
      );
      assertEquals([error.code, error.holder], [-32603, "worker-1"]);
    }
    // Its own holder may take it again, as after a restart.
    const again = await store.lease(task.taskId, OWNER, lease);
    assertEquals(settled(again), settled(first));
  });

  test("racing_workers_lease_a_task_once", async (ground) => {
    const stores = await Promise.all(times(4, () => ground.open()));
    for (let n = 0; n < 20; n++) {
      const { task } = await stores[0]!.create(OWNER, METHOD);
      const race = await Promise.allSettled(
        stores.map((store, i) =>
          store.lease(task.taskId, OWNER, {
            forMs: 60_000,
            holder: `worker-${i}`,
          })
        ),
      );
      const won = valuesOf(race);
      assertEquals(won.length, 1);
      const read = await stores[0]!.get(task.taskId, OWNER);
      assertEquals(settled(read), settled(won[0]!));
    }
  });

  test("renewed_lease_is_not_lost_by_an_old_record", async (ground) => {
    const store = await ground.open();
    const lease = leaseFor(ground);
    const { task } = await store.create(OWNER, METHOD);
    const old = await store.lease(task.taskId, OWNER, lease);
    await ground.elapse(lease.forMs * 0.6);
    await store.renew(task.taskId, OWNER, lease);
    await ground.elapse(lease.forMs * 0.6);
    const record = await store.setVariables(old, OWNER, { n: 1 });
    assertEquals([record.task.status, record.version], ["working", 2]);
    const again = await store.renew(old, OWNER, lease);
    assertEquals(again.lease?.holder, "worker-1");
    const done = await store.completeWithResult(old, OWNER, 1);
    assertEquals(done.task.status, "completed");
  });

  test("task_is_created_with_a_lease", async (ground) => {
    const store = await ground.open();
    const lease = leaseFor(ground);
    const record = await store.create(OWNER, METHOD, { lease });
    assertLease(record, ground.now(), lease.forMs);
    const { taskId } = record.task;
    assertEquals(settled(await store.get(taskId, OWNER)), settled(record));
    await assertRejects(
      () => store.lease(record, OWNER, { ...lease, holder: "worker-2" }),
      LeaseHeldError,
    );
    await untilLost(ground, lease);
    const lost = await store.get(taskId, OWNER);
    assertEquals([lost.task.status, lost.version], ["failed", 2]);
    for (const wrong of [{ ...lease, forMs: 0 }, { ...lease, holder: "" }]) {
      await assertRejects(() => store.create(OWNER, METHOD, { lease: wrong }));
    }
    assertEquals((await store.list(OWNER)).tasks.length, 1);
  });

  test("lease_is_not_left_on_what_a_task_has_become", async (ground) => {
    const { backend } = await ground.open();
    const other = new TaskStore(backend);
    const lease = { forMs: 60_000, holder: "worker-1" };
    const between: [
      (taskId: string) => Promise<unknown>,
      new (...args: never[]) => Error,
    ][] = [
      [async (taskId) => {
        await other.delete(taskId, OWNER);
        await other.create(OWNER, METHOD, { taskId });
      }, TaskNotFoundError],
      [(taskId) => other.delete(taskId, OWNER), TaskNotFoundError],
      [(taskId) => other.cancel(taskId, OWNER), InvalidTransitionError],
      [
        (taskId) => other.lease(taskId, OWNER, { ...lease, holder: "other" }),
        LeaseHeldError,
      ],
    ];
    for (const [meddle, error] of between) {
      const held = await other.create(OWNER, METHOD);
      const { taskId } = held.task;
      // It happens between the look at the task and the lease.
      const store = new TaskStore(
        interleaved(backend, () => meddle(taskId), "leases.acquire"),
      );
      await rejection(store.lease(held, OWNER, lease), error);
      const record = await backend.get(makeKey(OWNER, taskId))
        .catch(() => undefined);
      assert(record?.lease?.holder !== lease.holder, error.name);
    }
  });

  test("own_id_under_a_lease_is_idempotent", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const lease = { forMs: 60_000, holder: "worker-1" };
    const first = await store.create(OWNER, METHOD, { taskId: "t", lease });
    const again = await other.create(OWNER, METHOD, {
      taskId: "t",
      lease: { ...lease, holder: "worker-2" },
    });
    assertEquals(settled(again), settled(first));
  });

  test("lease_options_are_checked", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    for (const call of ["lease", "renew"] as const) {
      for (const forMs of [0, -1, 1.5, NaN, Infinity, 2 ** 31]) {
        await assertRejects(
          () => store[call](task.taskId, OWNER, { forMs, holder: "w" }),
          RangeError,
        );
      }
      for (const holder of ["", undefined as unknown as string]) {
        await assertRejects(
          () => store[call](task.taskId, OWNER, { forMs: 1000, holder }),
          TypeError,
        );
      }
    }
    const { lease } = await store.get(task.taskId, OWNER);
    assertEquals(lease, undefined);
  });

  test("released_task_is_free_and_never_lost", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const lease = leaseFor(ground);
    const worker = { holder: lease.holder };
    for (const by of ["id", "record"] as const) {
      const leased = await store.create(OWNER, METHOD, { lease });
      const { taskId } = leased.task;
      const ref = by === "id" ? taskId : leased;
      const stranger = { holder: "worker-2" };
      assertEquals(await other.release(taskId, OWNER, stranger), false);
      assertEquals(await store.release(ref, OWNER, worker), true);
      // By the record, which names the lease, it can be said again.
      assertEquals(await store.release(ref, OWNER, worker), by === "record");
      assertEquals((await other.get(taskId, OWNER)).lease, undefined);
      await assertRejects(
        () => store.renew(ref, OWNER, lease),
        LeaseHeldError,
      );
      const taken = await other.lease(taskId, OWNER, { ...lease, ...stranger });
      assert(taken.lease!.fence > leased.lease!.fence);
      assertEquals(await store.release(leased, OWNER, worker), false);
      assertEquals(
        (await other.get(taskId, OWNER)).lease?.holder,
        "worker-2",
      );
      assertEquals(await other.release(taken, OWNER, stranger), true);
    }
    await untilLost(ground, lease);
    for (const { task } of (await store.list(OWNER)).tasks) {
      assertEquals(task.status, "working");
    }
  });

  test("final_state_ends_the_lease_in_one_write", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const lease = { forMs: 60_000, holder: "worker-1" };
    for (const status of ["completed", "failed", "cancelled"] as const) {
      const leased = await store.create(OWNER, METHOD, { lease });
      const { taskId } = leased.task;
      const done = await other.updateStatus(taskId, OWNER, status);
      assertEquals([done.lease, done.version], [undefined, 2]);
      const key = makeKey(OWNER, taskId);
      assertEquals((await store.backend.get(key)).lease, undefined);
      await assertRejects(
        () => store.backend.leases!.renew(key, leased.lease!.fence, 1000),
        FencedError,
      );
      const error = await assertRejects(
        () => store.renew(leased, OWNER, lease),
        InvalidTransitionError,
      );
      assertEquals(error.from, status);
    }
  });

  test("workers_write_is_refused_once_its_lease_has_ended", async (ground) => {
    const [worker, other] = [await ground.open(), await ground.open()];
    const lease = { forMs: 60_000, holder: "worker-1" };
    const ends: ((leased: TaskRecord) => Promise<unknown>)[] = [
      (leased) => other.release(leased, OWNER, lease),
      async (leased) => {
        await other.release(leased, OWNER, lease);
        await other.lease(leased.task.taskId, OWNER, lease);
      },
    ];
    for (const end of ends) {
      const leased = await worker.create(OWNER, METHOD, { lease });
      const { fence } = leased.lease!;
      const { taskId } = leased.task;
      const written = await worker.update(leased, OWNER, {
        fence,
        variables: { n: 1 },
      });
      await end(leased);
      const before = await stored(worker.backend, taskId);
      for (const ref of [taskId, leased, written]) {
        const error = await rejection(
          worker.update(ref, OWNER, { fence, status: "completed" }),
          LeaseLostError,
        );
        assertEquals([error.from, error.to], ["working", "completed"]);
      }
      assertEquals(await stored(worker.backend, taskId), before);
      // Anyone else's write goes on top of what is there.
      const free = await worker.setVariables(leased, OWNER, { n: 2 });
      assertEquals([free.version, free.variables], [3, { n: 2 }]);
    }
  });

  test("renewal_by_a_record_is_one_call_that_writes_nothing", async (ground) => {
    const { backend } = await ground.open();
    const calls: string[] = [];
    const store = new TaskStore(intercepted(backend, (name, call) => {
      calls.push(name);
      return call();
    }));
    const lease = { forMs: 60_000, holder: "worker-1" };
    const record = await store.create(OWNER, METHOD, { lease });
    assertEquals(calls.splice(0), ["leases.create"]);
    await store.renew(record, OWNER, lease);
    assertEquals(calls.splice(0), ["leases.renew"]);
    await store.renew(record.task.taskId, OWNER, lease);
    assertEquals(calls.splice(0), ["get", "leases.renew"]);
    await store.completeWithResult(record, OWNER, 1);
    assertEquals(calls.splice(0), ["putIfVersion"]);
  });

  test("unconfirmed_renewal_is_still_a_renewal", async (ground) => {
    const { backend } = await ground.open();
    const store = new TaskStore(unconfirmed(backend));
    const lease = leaseFor(ground);
    const record = await new TaskStore(backend)
      .create(OWNER, METHOD, { lease });
    await ground.elapse(lease.forMs * 0.6);
    const renewed = await store.renew(record, OWNER, lease);
    assertEquals(renewed.lease?.remainingMs, lease.forMs);
    await ground.elapse(lease.forMs * 0.6);
    const { task } = await store.get(record.task.taskId, OWNER);
    assertEquals(task.status, "working");
    // So is a lease that is taken.
    const free = await new TaskStore(backend).create(OWNER, METHOD);
    const taken = await store.lease(free, OWNER, lease);
    assertEquals(taken.lease?.holder, lease.holder);
    assertEquals(await store.release(taken, OWNER, lease), true);
  });

  test("storage_without_leases_says_so", async (ground) => {
    const { backend } = await ground.open();
    const store = new TaskStore(
      new Proxy(backend, {
        get(target, name) {
          if (name === "leases") return undefined;
          const value = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
    );
    const lease = { forMs: 1000, holder: "w" };
    const record = await store.create(OWNER, METHOD);
    for (
      const call of [
        () => store.lease(record, OWNER, lease),
        () => store.renew(record, OWNER, lease),
        () => store.release(record, OWNER, lease),
        () => store.create(OWNER, METHOD, { lease }),
      ]
    ) await assertRejects(call, TypeError, "keeps no leases");
    assertEquals((await store.list(OWNER)).tasks, [record]);
  });
}

/** A lease of that holder, with no more than so much time left. */
function assertLease(
  { lease }: TaskRecord,
  now: number,
  forMs: number,
): void {
  assertEquals(lease!.holder, "worker-1");
  assert(lease!.fence >= 1);
  assert(
    lease!.remainingMs > 0 && lease!.remainingMs <= forMs + ESTIMATE_MS,
    `${lease!.remainingMs}`,
  );
  // A clock that runs is read a moment later than the storage's.
  const endMs = Date.parse(lease!.expiresAt);
  assert(
    endMs <= now + forMs + ESTIMATE_MS && endMs > now - forMs,
    lease!.expiresAt,
  );
}

/** The same storage, where no replica confirms a write in time. */
function unconfirmed(backend: StorageBackend): StorageBackend {
  return intercepted(backend, async (name, call) => {
    const answer = await call();
    if (!name.startsWith("leases.")) return answer;
    throw new BackendError("0 of 1 replicas", { outcome: "applied" });
  });
}
