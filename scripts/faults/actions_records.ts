/** Creates, puts, swaps, deletes and reads of plain records. */

import type { ExpectedRecord, WriteOptions } from "../../src/storage/record.ts";
import type { Actions, OwnerKeys, Worker } from "./worker.ts";

const HOUR_MS = 3600_000;

/** See the module. */
export const recordActions: Actions = [
  [8, (worker) => worker.backend.get(aKey(worker).key)],
  [
    1,
    (worker) =>
      worker.backend.listByPrefix(
        worker.random.pick(worker.keys.records).prefix,
      ),
  ],
  [14, create],
  [22, readAndSwap],
  [6, swapTwice],
  [9, readAndDelete],
  [3, deleteAny],
  [4, put],
];

/** A record's key and its owner. */
export function aKey(
  { random, keys }: Worker,
): { key: string; owner: OwnerKeys } {
  const owner = random.pick(keys.records);
  return { key: random.pick(owner.keys), owner };
}

/** Text and options of a write that names itself. */
export function aWrite(
  { random, newName }: Worker,
): { data: string; meta: WriteOptions } {
  const operationId = newName();
  const life = random.next();
  return {
    data: `~${operationId}~`,
    meta: {
      operationId,
      active: random.chance(0.5),
      expiresAt: life < 0.04
        ? Date.now() + random.integer(100, 3000)
        // On both sides of what the end of a trace is measured by.
        : life < 0.12
        ? Date.now() + random.integer(10_000, 200_000)
        : life < 0.85
        ? Date.now() + HOUR_MS
        : undefined,
    },
  };
}

/** What was read, as a write expects it. */
export function asExpected(
  { by, random }: Worker,
  { version, etag }: { readonly version: number; readonly etag: string },
): ExpectedRecord {
  const alone = by === "version" || (by === "both" && random.chance(0.25));
  return alone ? version : { version, etag };
}

async function create(worker: Worker): Promise<void> {
  const { key, owner } = aKey(worker);
  const { data, meta } = aWrite(worker);
  await worker.backend.create(key, data, { meta, ...owner.quotas });
}

async function readAndSwap(worker: Worker): Promise<void> {
  const { key } = aKey(worker);
  const read = await worker.backend.get(key);
  const { data, meta } = aWrite(worker);
  const expected = asExpected(worker, read);
  await worker.backend.putIfVersion(key, data, expected, meta);
}

/** The second swap expects what the first made, known without a read. */
async function swapTwice(worker: Worker): Promise<void> {
  const { key } = aKey(worker);
  const read = await worker.backend.get(key);
  const first = aWrite(worker);
  const expected = asExpected(worker, read);
  const version = await worker.backend
    .putIfVersion(key, first.data, expected, first.meta);
  await worker.pause(worker.random.integer(0, 20));
  const second = aWrite(worker);
  const etag = first.meta.operationId!;
  await worker.backend.putIfVersion(
    key,
    second.data,
    asExpected(worker, { version, etag }),
    second.meta,
  );
}

async function readAndDelete(worker: Worker): Promise<void> {
  const { key } = aKey(worker);
  const read = await worker.backend.get(key);
  await worker.backend.delete(key, { expected: asExpected(worker, read) });
}

async function deleteAny(worker: Worker): Promise<void> {
  if (worker.by === "etag") return;
  await worker.backend.delete(aKey(worker).key);
}

async function put(worker: Worker): Promise<void> {
  if (worker.by === "etag") return;
  const { data, meta } = aWrite(worker);
  await worker.backend.put(aKey(worker).key, data, meta);
}
