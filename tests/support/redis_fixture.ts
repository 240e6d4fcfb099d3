/**
 * What the Redis tests stand on: a prefix of their own, a raw client beside
 * the backends, and a check that nothing is left behind indefinitely.
 *
 * @module
 */

import { assert } from "@std/assert";
import { validate } from "@std/uuid";
import { createClient } from "redis";
import {
  RedisBackend,
  type RedisBackendOptions,
  type RedisConnectOptions,
} from "../../mod.ts";
import { redisEnabled, redisUrl } from "./gate.ts";
import { deadline } from "./wait.ts";

/** Opens a raw client, for what the backend must not be asked itself. */
export async function openRaw(url: string) {
  const client = createClient({
    url,
    socket: { reconnectStrategy: false },
    disableOfflineQueue: true,
  });
  client.on("error", () => {});
  try {
    return await client.connect();
  } catch (cause) {
    client.destroy();
    throw new Error(
      `REDIS_TESTS is set, but there is no Redis at ${addressOf(url)}`,
      { cause },
    );
  }
}

/** A raw node-redis client. */
export type RawClient = Awaited<ReturnType<typeof openRaw>>;

/** One test's corner of a Redis. */
export class RedisFixture {
  readonly url: string;
  /** In front of every key of the test, and of no other. */
  readonly prefix: string;
  /** A connection beside those of the backends. */
  readonly raw: RawClient;
  readonly #id: string;
  readonly #backends: RedisBackend[] = [];

  constructor(url: string, raw: RawClient) {
    this.#id = crypto.randomUUID();
    this.prefix = `mcp-test-${this.#id}`;
    this.url = url;
    this.raw = raw;
  }

  /** Opens a backend that the fixture closes. */
  async connect(
    options: RedisBackendOptions = {},
    target: RedisConnectOptions = this.url,
  ): Promise<RedisBackend> {
    const backend = await RedisBackend.connect(target, {
      prefix: this.prefix,
      ...options,
    });
    this.#backends.push(backend);
    return backend;
  }

  /** The full name of a record's hash. */
  record(owner: string, task: string): string {
    return `${this.prefix}:tasks:{${owner}}:${task}`;
  }

  /** The full name of an owner's index by creation time. */
  created(owner: string): string {
    return `${this.prefix}:idx:{${owner}}`;
  }

  /** The full name of an owner's index by expiry. */
  expiries(owner: string): string {
    return `${this.prefix}:exp:{${owner}}`;
  }

  /** Every key the test has, sorted. */
  async keys(): Promise<string[]> {
    // The one guard of the deletion below: never another pattern than this.
    assert(validate(this.#id) && this.prefix.endsWith(this.#id));
    const keys = new Set<string>();
    const scan = { MATCH: `${this.prefix}*`, COUNT: 1000 };
    for await (const batch of this.raw.scanIterator(scan)) {
      for (const key of batch) keys.add(key);
    }
    return [...keys].sort();
  }

  /** The same without those of one kind, such as `gone`. */
  async keysBut(kind: string): Promise<string[]> {
    return (await this.keys())
      .filter((key) => !key.startsWith(`${this.prefix}:${kind}:`));
  }

  /** Closes what was opened. */
  async close(): Promise<void> {
    for (const backend of this.#backends) {
      await deadline("the backend closed", backend.close(), 5000);
    }
  }

  /** Deletes what is left; fails if any of it has no TTL. */
  async [Symbol.asyncDispose](): Promise<void> {
    const forever: string[] = [];
    try {
      await this.close();
    } finally {
      for (const key of await this.keys()) {
        if (await this.raw.pTTL(key) === -1) forever.push(key);
        await this.raw.del(key);
      }
      await this.raw.close();
    }
    assert(forever.length === 0, `left without a TTL: ${forever.join(", ")}`);
  }
}

/** Runs a body in a corner of its own on the Redis at a URL. */
export async function withRedis(
  body: (redis: RedisFixture) => Promise<void>,
  url = redisUrl,
): Promise<void> {
  const redis = new RedisFixture(url, await openRaw(url));
  try {
    await body(redis);
  } catch (error) {
    // The body's own failure says more than what it left behind.
    await redis[Symbol.asyncDispose]().catch(() => {});
    throw error;
  }
  await redis[Symbol.asyncDispose]();
}

/** Registers a test that needs Redis. */
export function redisTest(
  name: string,
  body: (redis: RedisFixture) => Promise<void>,
): void {
  Deno.test({
    name: `redis_${name}`,
    ignore: !redisEnabled,
    fn: () => withRedis(body),
  });
}

/** Host and port of a Redis URL, never its password. */
export function addressOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || 6379}`;
}
