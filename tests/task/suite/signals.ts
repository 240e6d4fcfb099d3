/**
 * `signalFor`: how a worker is notified that its work is no longer wanted.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  LeaseLostError,
  TaskCancelledError,
  TaskExpiredError,
  TaskNotFoundError,
  type TaskRecord,
  type TaskStore,
} from "../../../mod.ts";
import { pause, waitUntil } from "../../support/wait.ts";
import { as, METHOD, OWNER, started, type TaskTest } from "./env.ts";

export function signalTests(test: TaskTest): void {
  test("signal_fires_on_a_cancellation_elsewhere", async (ground) => {
    const [worker, client] = [await ground.open(), await ground.open()];
    const { task } = await worker.create(OWNER, METHOD);
    const signal = worker.signalFor(task.taskId, OWNER);
    await client.setVariables(task.taskId, OWNER, { n: 1 });
    await pause(50);
    assertEquals(signal.aborted, false);
    const startMs = performance.now();
    await client.cancel(task.taskId, OWNER, "changed my mind");
    const reason = await reasonOf(signal);
    const tookMs = performance.now() - startMs;
    assert(tookMs < 1000, `${tookMs} ms: by the safety re-read?`);
    const error = as(TaskCancelledError, reason);
    assertEquals(error.taskId, task.taskId);
    assert(error.message.includes("changed my mind"), error.message);
  });

  test("signal_fires_on_expiry_and_deletion", async (ground) => {
    const [worker, client] = [await ground.open(), await ground.open()];
    const expiring = await worker.create(OWNER, METHOD, { ttlMs: 1500 });
    const deleted = await worker.create(OWNER, METHOD);
    const signals = [expiring, deleted].map(({ task }) =>
      worker.signalFor(task.taskId, OWNER)
    );
    await pause(50);
    assertEquals(signals.map(({ aborted }) => aborted), [false, false]);
    await client.delete(deleted.task.taskId, OWNER);
    const reasons = await Promise.all(signals.map(reasonOf));
    as(TaskExpiredError, reasons[0]);
    as(TaskNotFoundError, reasons[1]);
  });

  test("signal_fires_on_a_lost_lease", async (ground) => {
    const [worker, client] = [await ground.open(), await ground.open()];
    const { task } = await worker.create(OWNER, METHOD);
    await worker.lease(task.taskId, OWNER, { forMs: 800, holder: "w" });
    const signals = [worker, client].map((store) =>
      store.signalFor(task.taskId, OWNER)
    );
    for (const reason of await Promise.all(signals.map(reasonOf))) {
      assertEquals(as(LeaseLostError, reason).holder, "w");
    }
    assertEquals((await client.get(task.taskId, OWNER)).version, 2);
  });

  test("lease_taken_after_the_watch_began_is_looked_after", async (ground) => {
    const store = await ground.open();
    const { task: { taskId } } = await store.create(OWNER, METHOD);
    const watch = store.watch(taskId, OWNER);
    const signal = store.signalFor(taskId, OWNER);
    const waiting = started(store.waitFor(taskId, OWNER, { final: true }));
    const first = await watch.next();
    assertEquals(first.value?.lease, undefined, "it began before");
    // Nothing is written: no event tells of the lease, nor of its end.
    const held = await store.lease(taskId, OWNER, { forMs: 300, holder: "w" });
    const renewed = await store.renew(held, OWNER, {
      forMs: 1000,
      holder: "w",
    });
    const startMs = performance.now();
    const reason = await reasonOf(signal);
    const tookMs = performance.now() - startMs;
    assertEquals(as(LeaseLostError, reason).holder, "w");
    assert(tookMs > 900, `${tookMs} ms: the renewal counts`);
    const lost = await waiting;
    assertEquals([lost.task.status, lost.lostLease?.holder], ["failed", "w"]);
    assertEquals(lost.version, renewed.version + 1);
    assertEquals((await watch.next()).value, lost);
    await watch.return!();
  });

  test("signal_fires_at_once_for_what_is_over", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    await store.cancel(task.taskId, OWNER);
    const cancelled = store.signalFor(task.taskId, OWNER);
    as(TaskCancelledError, await reasonOf(cancelled));
    const missing = store.signalFor("missing", OWNER);
    as(TaskNotFoundError, await reasonOf(missing));
  });

  test("signal_stays_silent_when_the_work_ends_well", async (ground) => {
    const [worker, client] = [await ground.open(), await ground.open()];
    const ends: ((store: TaskStore, task: TaskRecord) => Promise<unknown>)[] = [
      (store, task) => store.completeWithResult(task, OWNER, 1),
      (store, task) => store.fail(task, OWNER, { code: 1, message: "no" }),
    ];
    for (const end of ends) {
      const record = await worker.create(OWNER, METHOD);
      const signal = worker.signalFor(record.task.taskId, OWNER);
      await pause(20);
      const leased = await worker.lease(record, OWNER, {
        forMs: 1000,
        holder: "w",
      });
      await end(client, leased);
      await pause(1100);
      await client.delete(record.task.taskId, OWNER);
      await pause(20);
      assertEquals(signal.aborted, false);
    }
  });

  test("signal_stays_silent_when_the_store_is_closed", async (ground) => {
    const [worker, client] = [await ground.open(), await ground.open()];
    const { task } = await client.create(OWNER, METHOD);
    const signal = worker.signalFor(task.taskId, OWNER);
    await pause(50);
    await worker.close();
    await pause(50);
    assertEquals(signal.aborted, false);
  });
}

async function reasonOf(signal: AbortSignal): Promise<Error> {
  await waitUntil("the signal aborted", () => signal.aborted, {
    deadlineMs: 5000,
  });
  return signal.reason;
}
