/**
 * A worker in a process of its own, to be killed: it takes a lease, says so,
 * renews it, and never ends by itself. `task_killed_worker_redis_test.ts`
 * starts it.
 *
 * @module
 */

import { RedisBackend, TaskStore } from "../../mod.ts";

/** What the worker is told, as JSON in its only argument. */
export interface WorkerOrders {
  readonly url: string;
  readonly prefix: string;
  readonly owner: string;
  readonly taskId: string;
  readonly holder: string;
  readonly forMs: number;
  readonly renewMs: number;
}

if (import.meta.main) {
  const orders: WorkerOrders = JSON.parse(Deno.args[0] ?? "");
  const { url, prefix, owner, taskId, holder, forMs, renewMs } = orders;
  const store = new TaskStore(await RedisBackend.connect(url, { prefix }));
  let record = await store.lease(taskId, owner, { forMs, holder });
  console.log("leased");
  for (let n = 1;; n++) {
    await new Promise((resolve) => setTimeout(resolve, renewMs));
    record = await store.renew(record, owner, { forMs, holder });
    record = await store.setVariables(record, owner, { step: n });
    console.log(`renewed ${n}`);
  }
}
