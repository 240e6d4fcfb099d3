/**
 * Tasks under ids of the caller's own: counted up, ended, deleted, recreated,
 * leased, by callers that hold a record of them and by callers that do not.
 */

import { parseKey } from "../../src/storage/keys.ts";
import type { TaskRecord } from "../../src/task/record.ts";
import type { Actions, Worker } from "./worker.ts";

/** See the module. */
export const taskActions: Actions = [
  [5, create],
  [9, increment],
  [4, incrementHeld],
  [3, end],
  [3, remove],
  [2, leased],
  [2, (worker) => {
    const { key, owner, taskId } = aTask(worker);
    return worker.backend.task(
      "get",
      key,
      "",
      () => worker.store.get(taskId, owner),
    );
  }],
];

function aTask(
  { random, keys }: Worker,
): { key: string; owner: string; taskId: string } {
  const { owner, keys: taskKeys } = random.pick(keys.tasks);
  const key = random.pick(taskKeys);
  return { key, owner, taskId: parseKey(key).task };
}

/** The same request each time, or another one that finds the id taken. */
function create(worker: Worker): Promise<TaskRecord> {
  const { key, owner, taskId } = aTask(worker);
  const token = worker.newName();
  const request = worker.random.chance(0.5) ? "same" : token;
  return worker.backend.task(
    "create",
    key,
    token,
    () =>
      worker.store.create(owner, "tools/call", {
        taskId,
        request,
        variables: { by: `~${token}~`, n: 0 },
      }),
  );
}

function countUp(
  worker: Worker,
  key: string,
  task: string | TaskRecord,
  owner: string,
): Promise<TaskRecord> {
  const token = worker.newName();
  return worker.backend.task(
    "modify",
    key,
    token,
    () =>
      worker.store.modify(task, owner, ({ variables }) => ({
        variables: { by: `~${token}~`, n: Number(variables.n) + 1 },
      })),
  );
}

function increment(worker: Worker): Promise<TaskRecord> {
  const { key, owner, taskId } = aTask(worker);
  return countUp(worker, key, taskId, owner);
}

/** With a record that is held for a while, in which others may write. */
async function incrementHeld(worker: Worker): Promise<void> {
  const { key, owner, taskId } = aTask(worker);
  let held = await worker.backend.task(
    "get",
    key,
    "",
    () => worker.store.get(taskId, owner),
  );
  for (let turn = worker.random.integer(1, 3); turn > 0; turn--) {
    await worker.pause(worker.random.integer(0, 40));
    held = await countUp(worker, key, held, owner);
  }
}

function end(worker: Worker): Promise<TaskRecord> {
  const { key, owner, taskId } = aTask(worker);
  const token = worker.newName();
  const status = worker.random.pick(["completed", "cancelled", "failed"]);
  return worker.backend.task(
    "modify",
    key,
    token,
    () =>
      worker.store.update(taskId, owner, {
        status: status as "completed",
        variables: { by: `~${token}~` },
      }),
  );
}

function remove(worker: Worker): Promise<boolean> {
  const { key, owner, taskId } = aTask(worker);
  return worker.backend.task(
    "delete",
    key,
    "",
    () => worker.store.delete(taskId, owner),
  );
}

async function leased(worker: Worker): Promise<void> {
  const { key, owner, taskId } = aTask(worker);
  const lease = {
    holder: worker.newName(),
    forMs: worker.random.integer(50, 1500),
  };
  let held = await worker.backend.task(
    "lease",
    key,
    "",
    () => worker.store.lease(taskId, owner, lease),
  );
  for (let turn = worker.random.integer(0, 3); turn > 0; turn--) {
    await worker.pause(worker.random.integer(0, 40));
    if (worker.random.chance(0.5)) {
      await worker.backend.task(
        "renew",
        key,
        "",
        () => worker.store.renew(held, owner, lease),
      );
    } else held = await countUp(worker, key, held, owner);
  }
}
