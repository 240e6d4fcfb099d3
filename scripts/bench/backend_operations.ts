/** The operations of `RedisBackend`, each as its users call it. */

import { type Bed, forEach, newPlaces, type Place, places } from "./bed.ts";
import type { Operation } from "./operation.ts";

/** Names of the operations, for ratios. */
export const OURS = {
  get: "get",
  put: "put (update)",
  cas: "putIfVersion (version, etag)",
  casByVersion: "putIfVersion (version)",
  putNew: "put (new)",
  create: "create",
  createWithQuota: "create, maxRecords, maxActive",
  delete: "delete",
  renew: "leases.renew",
  renewLarge: "leases.renew beside 1 MB",
} as const;

const LEASE_MS = 3_600_000;
const LARGE_BYTES = 2 ** 20;

/** All operations of one record. */
export function backendOperations(bed: Bed): Operation[] {
  const { backend, data } = bed;
  const meta = {
    expiresAt: bed.expiresAt,
    createdAt: bed.createdAt,
    active: true,
  };
  const create = (at: readonly Place[]) => (i: number) =>
    backend.create(at[i]!.key, data, { meta });
  return [
    {
      name: OURS.get,
      prepare: async (calls) => {
        const at = await standing(bed, "read", calls);
        return (i) => backend.get(at[i]!.key);
      },
    },
    {
      name: OURS.put,
      prepare: async (calls) => {
        const at = await standing(bed, "put", calls);
        return (i) => backend.put(at[i]!.key, data, meta);
      },
    },
    {
      name: OURS.cas,
      prepare: async (calls) => {
        const at = await standing(bed, "cas", calls);
        const read = await Promise.all(at.map(({ key }) => backend.get(key)));
        return (i) => backend.putIfVersion(at[i]!.key, data, read[i]!, meta);
      },
    },
    {
      name: OURS.casByVersion,
      prepare: async (calls) => {
        const at = await standing(bed, "version", calls);
        const read = await Promise.all(at.map(({ key }) => backend.get(key)));
        return (i) =>
          backend.putIfVersion(at[i]!.key, data, read[i]!.version, meta);
      },
    },
    {
      name: OURS.putNew,
      prepare: (calls) => {
        const at = newPlaces(calls);
        return Promise.resolve((i) => backend.put(at[i]!.key, data, meta));
      },
    },
    {
      name: OURS.create,
      prepare: (calls) => Promise.resolve(create(newPlaces(calls))),
    },
    {
      name: OURS.createWithQuota,
      prepare: (calls) => {
        const at = newPlaces(calls);
        return Promise.resolve((i) =>
          backend.create(at[i]!.key, data, {
            meta,
            maxRecords: 1000,
            maxActive: 100,
          })
        );
      },
    },
    {
      name: OURS.delete,
      prepare: async (calls) => {
        const at = newPlaces(calls);
        await forEach(calls, create(at));
        return (i) => backend.delete(at[i]!.key);
      },
    },
    renewal(OURS.renew, bed, bed.data, 64),
    renewal(OURS.renewLarge, bed, "x".repeat(LARGE_BYTES), 4),
  ];
}

function renewal(
  name: string,
  { backend, expiresAt }: Bed,
  data: string,
  records: number,
): Operation {
  return {
    name,
    prepare: async () => {
      const at = places(name.replaceAll(/\W/g, ""), records);
      const fences: number[] = [];
      for (const { key } of at) {
        await backend.put(key, data, { expiresAt, active: true });
        const lease = { holder: "bench", forMs: LEASE_MS };
        fences.push((await backend.leases.acquire(key, lease)).fence);
      }
      return (i) => {
        const at_i = i % records;
        return backend.leases.renew(at[at_i]!.key, fences[at_i]!, LEASE_MS);
      };
    },
  };
}

/**
 * Records that one operation reads or updates. Each has its own, so that no
 * record is written more often than once a round: a record written many times
 * a second keeps a longer trace than others.
 */
async function standing(
  { backend, data, expiresAt, createdAt, tuned }: Bed,
  group: string,
  count: number,
): Promise<readonly Place[]> {
  const at = places(group, count);
  if (await tuned.exists(at[count - 1]!.hash) === 0) {
    const meta = { expiresAt, createdAt, active: true };
    await forEach(count, (i) => backend.put(at[i]!.key, data, meta));
  }
  return at;
}
