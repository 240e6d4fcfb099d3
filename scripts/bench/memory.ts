/** What a record takes of the server's memory, by kind of record. */

import { type Bed, forEach, type Place, place } from "./bed.ts";

/** The kinds, and how many records an owner has. */
export const MEMORY = {
  bare: "bare hash",
  active: "active",
  finished: "finished",
  leased: "active, leased",
  activeLarge: "active, 1,000 an owner",
  finishedLarge: "finished, 1,000 an owner",
} as const;

/** The default limit of active tasks. */
const FEW = 100;
/** The default limit of all tasks. */
const MANY = 1_000;

/** Measures every kind in turn; the database is emptied before each. */
export async function measureMemory(bed: Bed): Promise<Record<string, number>> {
  const { backend, tuned, data, expiresAt, createdAt } = bed;
  const meta = { expiresAt, createdAt, active: true };
  const create = ({ key }: Place) => backend.create(key, data, { meta });
  const finish = async (at: Place) => {
    await create(at);
    const read = await backend.get(at.key);
    await backend.putIfVersion(at.key, data, read, { ...meta, active: false });
  };
  const perOwner = (size: number, write: (at: Place) => Promise<unknown>) =>
    perRecord(
      bed,
      (i) => write(place(`owner-${Math.floor(i / size)}`, crypto.randomUUID())),
    );
  return {
    [MEMORY.bare]: await perOwner(FEW, ({ hash }) =>
      tuned.multi()
        .hSet(hash, {
          version: "1",
          data,
          expires_at: String(Math.ceil(expiresAt / 1000)),
        })
        .pExpireAt(hash, expiresAt)
        .exec()),
    [MEMORY.active]: await perOwner(FEW, create),
    [MEMORY.finished]: await perOwner(FEW, finish),
    [MEMORY.leased]: await perOwner(FEW, async (at) => {
      await create(at);
      await backend.leases.acquire(at.key, {
        holder: crypto.randomUUID(),
        forMs: 30_000,
      });
    }),
    [MEMORY.activeLarge]: await perOwner(MANY, create),
    [MEMORY.finishedLarge]: await perOwner(MANY, finish),
  };
}

/** The growth of `used_memory` a record. */
async function perRecord(
  { tuned, settings }: Bed,
  write: (i: number) => Promise<unknown>,
): Promise<number> {
  await tuned.flushAll("SYNC");
  const before = await usedMemory(tuned);
  await forEach(settings.records, write, 64);
  return (await usedMemory(tuned) - before) / settings.records;
}

async function usedMemory(client: Bed["tuned"]): Promise<number> {
  const info = await client.info("memory");
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
}
