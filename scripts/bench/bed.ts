/**
 * The test bed: the connections and the records that the operations use. The
 * owners of what a round adds begin with `new`; it is removed after the round.
 *
 * @module
 */

import { createClient } from "redis";
import { makeKey, RedisBackend } from "../../mod.ts";
import type { Settings } from "./settings.ts";

/** Every key begins with it. */
export const PREFIX = "bench";

/** Records of one owner: well under the default limits. */
const PER_OWNER = 20;

/** When every record ends: after the run. */
const LIFETIME_MS = 3_600_000;

/** A node-redis client, as the floors use it. */
export type RawClient = Awaited<ReturnType<typeof connectRaw>>;

/** A record's names, made before a round is timed. */
export interface Place {
  readonly owner: string;
  readonly task: string;
  /** What the backend takes. */
  readonly key: string;
  /** What a user of node-redis would take: the keys of our layout. */
  readonly hash: string;
  readonly created: string;
  readonly expiry: string;
  readonly channel: string;
}

/** Connections and settings of one measuring process. */
export interface Bed {
  readonly settings: Settings;
  /** A client with our connection's options: no timer of its own a command. */
  readonly tuned: RawClient;
  /** A client as its users have it: default options. */
  readonly plain: RawClient;
  readonly backend: RedisBackend;
  /** A record's data. */
  readonly data: string;
  /** Times of every record, in epoch milliseconds. */
  readonly createdAt: number;
  readonly expiresAt: number;
  close(): Promise<void>;
}

/** Connects to the server at `url`, which may be a proxy's. */
export async function openBed(settings: Settings, url: string): Promise<Bed> {
  const tuned = await connectRaw(url, { timeout: 0 });
  const plain = await connectRaw(url);
  const backend = await RedisBackend.connect(url, { prefix: PREFIX });
  const createdAt = Date.now();
  return {
    settings,
    tuned,
    plain,
    backend,
    data: JSON.stringify({ text: "x".repeat(settings.bytes - 11) }),
    createdAt,
    expiresAt: createdAt + LIFETIME_MS,
    close: async () => {
      await backend.close();
      tuned.destroy();
      plain.destroy();
    },
  };
}

/** Opens a client of our own; without options it has node-redis' defaults. */
export async function connectRaw(
  url: string,
  commandOptions?: { timeout: number },
) {
  const client = createClient({
    url,
    ...(commandOptions ? { commandOptions } : {}),
  });
  client.on("error", () => {});
  return await client.connect();
}

/** Names `count` records; those of one `group` are the same in every round. */
export function places(group: string, count: number): Place[] {
  return Array.from({ length: count }, (_, i) => {
    const owner = `${group}-${Math.floor(i / PER_OWNER)}`;
    return place(
      owner,
      `6f1e4a52-7d0b-4c8a-9f3e-${String(i).padStart(12, "0")}`,
    );
  });
}

/** Names one record. */
export function place(owner: string, task: string): Place {
  return {
    owner,
    task,
    key: makeKey(owner, task),
    hash: `${PREFIX}:tasks:{${owner}}:${task}`,
    created: `${PREFIX}:idx:{${owner}}`,
    expiry: `${PREFIX}:exp:{${owner}}`,
    channel: `${PREFIX}:events:{${owner}}:${task}`,
  };
}

let rounds = 0;

/** Names records that no round has had before; see {@linkcode removeNew}. */
export function newPlaces(count: number): Place[] {
  return places(`new${++rounds}`, count);
}

/** Removes everything that the calls of a round have added. */
export async function removeNew(client: RawClient): Promise<void> {
  const cursor = client.scanIterator({ MATCH: "*[:{]new*", COUNT: 5_000 });
  for await (const keys of cursor) {
    if (keys.length > 0) await client.unlink(keys);
  }
}

/** Calls `step` for 0 to `count` - 1, many at once. */
export async function forEach(
  count: number,
  step: (i: number) => Promise<unknown>,
  atOnce = 256,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await step(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
}
