/**
 * The smallest Redis client `RedisBackend` needs, described by its shape, and
 * how one is opened. Any connected node-redis client, pool, cluster or
 * sentinel fits.
 *
 * @module
 */

import { createClient, type RedisClientOptions } from "redis";
import { BackendError } from "../storage/errors.ts";
import { deadline } from "../util/deadline.ts";

/** What a script is run with. */
export interface ScriptInput {
  /** The keys it touches. */
  keys: string[];
  /** Its further arguments. */
  arguments: string[];
}

/** Runs Lua scripts. */
export interface ScriptRunner {
  /** Runs a script by its SHA-1. */
  evalSha(sha1: string, input: ScriptInput): Promise<unknown>;
  /** Runs a script by its source. */
  eval(source: string, input: ScriptInput): Promise<unknown>;
}

/** Commands sent together, in one round trip. */
export interface PipelineLike {
  /** Queues a script by its SHA-1. */
  evalSha(sha1: string, input: ScriptInput): PipelineLike;
  /** Queues a script by its source. */
  eval(source: string, input: ScriptInput): PipelineLike;
  /** Queues `WAIT`: how many replicas have the writes so far. */
  wait(replicas: number, timeoutMs: number): PipelineLike;
  /** Sends what is queued, not as a transaction. */
  execAsPipeline(): Promise<unknown[]>;
}

/**
 * A connected node-redis client, client pool, cluster or sentinel, as
 * `RedisBackend` sees it: only `evalSha` and `eval` are needed by every
 * operation. `multi` serves `durability`; `watch` needs a way to subscribe:
 * `duplicate` (client), `execute` (pool) or `sSubscribe` (cluster, sentinel).
 */
export interface RedisClientLike extends ScriptRunner {
  /** Whether a command would be sent at once. */
  readonly isReady?: boolean;
  /** A view of the client whose unsent commands a signal takes back. */
  withAbortSignal?(signal: AbortSignal): unknown;
  /** Begins a pipeline. */
  multi?(): unknown;
  /** Makes an unconnected client with the same options. */
  duplicate?(): unknown;
  /** Lends a client of a pool. */
  execute?(task: (client: unknown) => unknown): Promise<unknown>;
  /** Subscribes to a sharded channel. */
  sSubscribe?(
    channel: string,
    listener: (message: string, channel: string) => void,
  ): Promise<unknown>;
  /** Ends a subscription. */
  sUnsubscribe?(
    channel: string,
    listener: (message: string, channel: string) => void,
  ): Promise<unknown>;
}

/** A client this library has opened, and closes. */
export interface OwnedClient extends RedisClientLike {
  readonly isReady: boolean;
  readonly isOpen: boolean;
  close(): Promise<unknown>;
  destroy(): void;
}

/**
 * Options of node-redis' `createClient`. All of its options are handed on;
 * these are the ones a server commonly sets.
 */
export interface RedisClientSettings {
  /** `redis[s]://[user[:password]@]host[:port][/db]`. */
  readonly url?: string;
  /** Address, TLS and reconnecting, as node-redis describes them. */
  readonly socket?: object;
  /** The ACL user. */
  readonly username?: string;
  /** The password of the ACL user, or of the server. */
  readonly password?: string;
  /** Where credentials come from, in place of user and password. */
  readonly credentialsProvider?: object;
  /** The name shown in `CLIENT LIST`. */
  readonly name?: string;
  /** The database number. Default: 0. */
  readonly database?: number;
  /** The protocol version. Default: 3. */
  readonly RESP?: 2 | 3;
  /** Sends `PING` so often, in milliseconds. Default: never. */
  readonly pingInterval?: number;
  /** Whether commands fail at once while disconnected. Default: `false`. */
  readonly disableOfflineQueue?: boolean;
  /** The most commands that may wait. Default: no bound. */
  readonly commandsQueueMaxLength?: number;
}

/** Where to connect to: a `redis[s]://` URL or client options. */
export type RedisConnectOptions = string | RedisClientSettings;

/**
 * Opens a client. The first connection is made at once or not at all; a later
 * loss is mended by the client itself.
 *
 * @throws {TypeError} If the URL is not one.
 * @throws {BackendError} If the server cannot be reached or refuses us.
 */
export async function connectClient(
  target: RedisConnectOptions,
): Promise<OwnedClient> {
  const options = (
    typeof target === "string" ? { url: target } : target
  ) as RedisClientOptions;
  const address = addressOf(options);
  let connected = false;
  const mend = options.socket?.reconnectStrategy ?? defaultReconnect;
  const client = createClient({
    ...options,
    socket: {
      ...options.socket,
      reconnectStrategy: (retries: number, cause: Error) => {
        if (!connected) return cause;
        return typeof mend === "function" ? mend(retries, cause) : mend;
      },
    } as RedisClientOptions["socket"],
  });
  // Every failure reaches its caller through a rejected command; without a
  // listener the event would end the process.
  client.on("error", () => {});
  try {
    // A server that accepts and stays silent would be waited for for ever.
    const { connectTimeout = 5000 } = options.socket ?? {};
    // 0 means to node-redis: no bound.
    await (connectTimeout > 0
      ? deadline(client.connect(), connectTimeout)
      : client.connect());
  } catch (cause) {
    if (client.isOpen) client.destroy();
    throw new BackendError(
      `cannot connect to Redis at ${address}: ${reasonOf(cause)}`,
      { cause },
    );
  }
  connected = true;
  return client;
}

/** Waits longer from try to try, two seconds at most, and never gives up. */
function defaultReconnect(retries: number): number {
  return Math.min(2 ** retries * 25, 2000) + Math.floor(Math.random() * 50);
}

/** Host and port, or a socket's path: what a message may name. */
function addressOf({ url, socket }: RedisClientOptions): string {
  if (url !== undefined) {
    let parsed: URL;
    try {
      parsed = new URL(url);
    } catch {
      // The URL and the parser's error may hold a password: neither is shown.
      throw new TypeError(
        "invalid Redis URL: expected redis[s]://[user:password@]host[:port][/db]",
      );
    }
    if (!/^rediss?:$/.test(parsed.protocol)) {
      throw new TypeError(
        `invalid Redis URL with protocol "${parsed.protocol}": expected redis: or rediss:`,
      );
    }
    return `${parsed.hostname || "localhost"}:${parsed.port || 6379}`;
  }
  const { host = "localhost", port = 6379, path } = (socket ?? {}) as {
    host?: string;
    port?: number;
    path?: string;
  };
  return path ?? `${host}:${port}`;
}

/** The first message found: an AggregateError of several addresses has none. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === "") {
    return cause.errors.map(reasonOf).join(", ");
  }
  return cause instanceof Error ? cause.message : String(cause);
}
