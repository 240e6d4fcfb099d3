/**
 * A worker in a process of its own: it takes a task under a lease, says so and
 * works until it is killed. `scripts/demo/tasks.ts` starts it, and kills it.
 *
 * Arguments: Redis URL, key prefix, task id, owner.
 *
 * @module
 */

import { createTaskStore } from "../../mod.ts";

const [url, prefix, taskId, owner] = Deno.args as [
  string,
  string,
  string,
  string,
];
const store = await createTaskStore({ url, redis: { prefix } });
await store.lease(taskId, owner, { forMs: 500, holder: "worker" });
console.log("leased");
setInterval(() => {}, 1000);
