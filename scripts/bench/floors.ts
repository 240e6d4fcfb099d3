/**
 * The floors: the least a user of node-redis would send for the same purpose,
 * written as such a user writes it (`hmGet`, `evalSha`).
 *
 * @module
 */

import {
  type Bed,
  forEach,
  newPlaces,
  type Place,
  places,
  type RawClient,
} from "./bed.ts";
import type { Call, Operation } from "./operation.ts";

/** Writes the data and nothing else. */
const HSET = `
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'data', ARGV[2])
return 1`;

/** The least that keeps the promise: compare, write, publish. */
const COMPARE_WRITE_PUBLISH = `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
local version = string.format('%.0f', ARGV[1] + 1)
redis.call('HSET', KEYS[1], 'version', version, 'data', ARGV[2])
redis.call('SPUBLISH', ARGV[3], version)
return version`;

/** A new record with its index entries, its end and its event. */
const NEW = `
redis.call('HSET', KEYS[1], 'version', '1', 'data', ARGV[1], 'expires_at', ARGV[2])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[5])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[5])
redis.call('SPUBLISH', ARGV[6], '1')
return 1`;

/** A record removed with its index entries and its event. */
const DELETE = `
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('SPUBLISH', ARGV[2], '0')
return redis.call('DEL', KEYS[1])`;

/** Names of the floors, for ratios. */
export const FLOOR = {
  get: "floor: HMGET",
  write: "floor: script with HSET",
  compare: "floor: compare, write, publish",
  create: "floor: new record",
  delete: "floor: delete",
  plainGet: "default client: HMGET",
  plainWrite: "default client: script with HSET",
  plainCreate: "default client: new record",
} as const;

/** All floors; those of a default client too. */
export async function floors(bed: Bed): Promise<Operation[]> {
  const { tuned, plain } = bed;
  const load = (source: string) => tuned.scriptLoad(source.trim());
  const [hset, compare, create, remove] = await Promise.all(
    [HSET, COMPARE_WRITE_PUBLISH, NEW, DELETE].map(load),
  ) as [string, string, string, string];
  return [
    get(FLOOR.plainGet, bed, plain),
    get(FLOOR.get, bed, tuned),
    write(FLOOR.plainWrite, bed, plain, hset),
    write(FLOOR.write, bed, tuned, hset),
    compareAndWrite(bed, compare),
    newRecord(FLOOR.plainCreate, bed, plain, create),
    newRecord(FLOOR.create, bed, tuned, create),
    {
      name: FLOOR.delete,
      prepare: async (calls) => {
        const at = newPlaces(calls);
        await forEach(calls, newCall(bed, tuned, create, at));
        return (i) =>
          tuned.evalSha(remove, {
            keys: [at[i]!.hash, at[i]!.created, at[i]!.expiry],
            arguments: [at[i]!.task, at[i]!.channel],
          });
      },
    },
  ];
}

function get(name: string, bed: Bed, client: RawClient): Operation {
  return {
    name,
    prepare: async (calls) => {
      const at = await standing(bed, calls);
      return (i) =>
        client.hmGet(at[i]!.hash, ["version", "data", "expires_at"]);
    },
  };
}

function write(
  name: string,
  bed: Bed,
  client: RawClient,
  sha: string,
): Operation {
  return {
    name,
    prepare: async (calls) => {
      const at = await standing(bed, calls);
      return (i) =>
        client.evalSha(sha, {
          keys: [at[i]!.hash],
          arguments: ["1", bed.data],
        });
    },
  };
}

function compareAndWrite(bed: Bed, sha: string): Operation {
  return {
    name: FLOOR.compare,
    prepare: async (calls) => {
      const at = await standing(bed, calls);
      const versions = await Promise.all(
        at.map(({ hash }) => bed.tuned.hGet(hash, "version")),
      );
      return (i) =>
        bed.tuned.evalSha(sha, {
          keys: [at[i]!.hash],
          arguments: [versions[i]!, bed.data, at[i]!.channel],
        });
    },
  };
}

function newRecord(
  name: string,
  bed: Bed,
  client: RawClient,
  sha: string,
): Operation {
  return {
    name,
    prepare: (calls) =>
      Promise.resolve(newCall(bed, client, sha, newPlaces(calls))),
  };
}

function newCall(
  { data, expiresAt, createdAt }: Bed,
  client: RawClient,
  sha: string,
  at: readonly Place[],
): Call {
  return (i) =>
    client.evalSha(sha, {
      keys: [at[i]!.hash, at[i]!.created, at[i]!.expiry],
      arguments: [
        data,
        String(Math.ceil(expiresAt / 1000)),
        String(expiresAt),
        String(createdAt),
        at[i]!.task,
        at[i]!.channel,
      ],
    });
}

/** Bare hashes, written once: the records that the floors read and write. */
async function standing(
  { tuned, data, expiresAt }: Bed,
  count: number,
): Promise<readonly Place[]> {
  const at = places("bare", count);
  if (await tuned.exists(at[count - 1]!.hash) === 0) {
    await forEach(count, (i) =>
      tuned.multi()
        .hSet(at[i]!.hash, {
          version: "1",
          data,
          expires_at: String(Math.ceil(expiresAt / 1000)),
        })
        .pExpireAt(at[i]!.hash, expiresAt)
        .exec());
  }
  return at;
}
