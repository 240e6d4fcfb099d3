/** Leases on records, writes under their fence, steps, and lapsed leases. */

import { FencedError } from "../../src/storage/errors.ts";
import { aKey, asExpected, aWrite } from "./actions_records.ts";
import type { Actions, Worker } from "./worker.ts";

/** See the module. */
export const leaseActions: Actions = [
  [6, acquireAndWork],
  [3, createAndWork],
  [3, expireLapsed],
];

async function acquireAndWork(worker: Worker): Promise<void> {
  const { key } = aKey(worker);
  const holder = worker.newName();
  const forMs = worker.random.integer(50, 1500);
  const { fence } = await worker.backend.leases.acquire(key, { holder, forMs });
  await work(worker, key, fence, forMs);
}

async function createAndWork(worker: Worker): Promise<void> {
  const { key, owner } = aKey(worker);
  const { data, meta } = aWrite(worker);
  const holder = worker.newName();
  const forMs = worker.random.integer(50, 1500);
  const { fence } = await worker.backend.leases.create(
    key,
    data,
    { holder, forMs },
    { meta, ...owner.quotas },
  );
  await work(worker, key, fence, forMs);
}

/** A few turns of a worker that has the lease; one in four never releases. */
async function work(
  worker: Worker,
  key: string,
  fence: number,
  forMs: number,
): Promise<void> {
  const { backend, random } = worker;
  for (let turn = random.integer(1, 4); turn > 0; turn--) {
    await worker.pause(random.integer(0, 30));
    try {
      const todo = random.integer(0, 3);
      if (todo === 0) await backend.leases.renew(key, fence, forMs);
      else if (todo === 1) {
        const name = `s${random.integer(0, 3)}`;
        await backend.steps.record(key, fence, name, worker.newName());
      } else if (todo === 2) await backend.steps.open(key, fence);
      else await fencedWrite(worker, key, fence, random.chance(0.2));
    } catch (error) {
      if (error instanceof FencedError) return;
    }
  }
  if (random.chance(0.75)) await backend.leases.release(key, fence);
}

async function fencedWrite(
  worker: Worker,
  key: string,
  fence: number,
  releaseLease: boolean,
): Promise<void> {
  const read = await worker.backend.get(key);
  const { data, meta } = aWrite(worker);
  await worker.backend.putIfVersion(key, data, asExpected(worker, read), {
    ...meta,
    fence,
    releaseLease,
  });
}

async function expireLapsed(worker: Worker): Promise<void> {
  const { key } = aKey(worker);
  const read = await worker.backend.get(key);
  if (!read.lease || read.lease.remainingMs > 10) return;
  const { data, meta } = aWrite(worker);
  await worker.backend.leases.expire(
    key,
    read.lease.fence,
    data,
    asExpected(worker, read),
    meta,
  );
}
