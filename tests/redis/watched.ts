/**
 * Watches and events on a real Redis, with nothing of a backend around them.
 *
 * @module
 */

import { createClient } from "redis";
import { EventHub } from "../../src/redis/events.ts";
import { borrowLink } from "../../src/redis/link.ts";
import { BackendError } from "../../src/storage/errors.ts";
import type { Subscription } from "../../src/storage/watch_source.ts";
import { WatchHub } from "../../src/storage/watch.ts";
import { CloseSignal } from "../../src/util/close_signal.ts";
import type { RawClient, RedisFixture } from "../support/redis_fixture.ts";

/** The events of a client, and watches of hashes with a version and data. */
export class Watched implements AsyncDisposable {
  readonly client: Awaited<ReturnType<typeof openClient>>;
  readonly events: EventHub;
  readonly hub: WatchHub;
  readonly closed = new CloseSignal();
  readonly #link: ReturnType<typeof borrowLink>;

  private constructor(
    client: Awaited<ReturnType<typeof openClient>>,
    timeoutMs: number,
  ) {
    this.client = client;
    this.#link = borrowLink(client as never, () => {});
    const open = () => this.#link.openSubscriber();
    this.events = new EventHub({ open, timeoutMs });
    this.hub = new WatchHub({
      closed: [this.closed],
      read: async (key) => {
        const fields = ["version", "data", "etag"];
        const [version, data, etag] = await this.#link
          .send(key, false, ["HMGET", key, ...fields]) as string[];
        return version === null
          ? undefined
          : { version: Number(version), data: data!, etag: etag! };
      },
      subscribe: (key, listener) => this.events.changes(key, listener),
    });
  }

  static async open(url: string, timeoutMs = 10_000): Promise<Watched> {
    return new Watched(await openClient(url), timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed.end(new BackendError("closed", { closed: true }));
    await this.events.close();
    await this.#link.close();
    if (this.client.isOpen) this.client.destroy();
  }
}

async function openClient(url: string) {
  const client = createClient({ url, disableOfflineQueue: true });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Writes as a script of ours does: the record and its event in one step. */
export async function write(raw: RawClient, key: string, data: string) {
  const script = `local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'data', ARGV[1], 'etag', ARGV[2])
redis.call('PEXPIRE', KEYS[1], 60000)
redis.call('SPUBLISH', KEYS[1], version)
return version`;
  const etag = crypto.randomUUID();
  const options = { keys: [key], arguments: [data, etag] };
  const version = Number(await raw.eval(script, options));
  return { version, data, etag };
}

export function nthKey(redis: RedisFixture, n = 0): string {
  return `${redis.prefix}:{k}:${n}`;
}

/** A subscription, and what it has received. */
export function listen(events: EventHub, channel: string) {
  const received: string[] = [];
  const state = { resets: 0 };
  const subscription: Subscription = events.subscribe(
    channel,
    (message) => received.push(message),
    () => state.resets++,
  );
  return { ...subscription, received, state };
}

export async function channels(
  raw: RawClient,
  pattern: string,
): Promise<string[]> {
  const found = await raw.sendCommand(["PUBSUB", "SHARDCHANNELS", pattern]);
  return (found as unknown as string[]).map(String);
}
