/**
 * Opens links: to one server, to a Cluster, or to the master that Sentinels
 * name.
 *
 * @module
 */

import { createClient, createCluster, createSentinel } from "redis";
import { BackendError } from "../storage/errors.ts";
import { deadline } from "../util/deadline.ts";
import type { RedisLink, WarningListener } from "./link_types.ts";
import { ClientLink } from "./client_link.ts";
import {
  type ClusterClient,
  COMMAND_OPTIONS,
  describe,
  type NodeClient,
  type SentinelClient,
} from "./client_like.ts";
import { ClusterLink } from "./cluster_link.ts";
import { OwnedSentinelLink } from "./sentinel_link.ts";
import { checkServer } from "./server_check.ts";
import { SOCKET_TIMEOUT_MS } from "./watchdog.ts";

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

/** Options of node-redis' `createCluster`; these must or may be set. */
export interface RedisClusterSettings {
  /** Nodes to ask for the others; one that answers is enough. */
  readonly rootNodes: readonly RedisClientSettings[];
  /** What all nodes have in common, such as credentials and TLS. */
  readonly defaults?: RedisClientSettings;
}

/** Options of node-redis' `createSentinel`; these must or may be set. */
export interface RedisSentinelSettings {
  /** The name of the master the Sentinels watch. */
  readonly name: string;
  /** Sentinels to ask; one that answers is enough. */
  readonly sentinelRootNodes: readonly {
    /** The host. */
    readonly host: string;
    /** The port. */
    readonly port: number;
  }[];
  /** Options of the connections to master and replicas. */
  readonly nodeClientOptions?: RedisClientSettings;
  /** Options of the connections to the Sentinels. */
  readonly sentinelClientOptions?: RedisClientSettings;
}

/**
 * Where to connect to: a `redis[s]://` URL, as text or as a `URL`, options of
 * one client, of a Cluster, or of a Sentinel. All options of node-redis are
 * handed on, but for those that its connections need to be fast and safe here.
 */
export type RedisConnectOptions =
  | string
  | URL
  | RedisClientSettings
  | RedisClusterSettings
  | RedisSentinelSettings;

/** How long the first connection may take, in milliseconds. */
const CONNECT_MS = 5000;

/**
 * Opens a link. The first connection is made at once or not at all; a later
 * loss is repaired by the link itself.
 *
 * @throws {TypeError} If the target is none of those described.
 * @throws {BackendError} If the server cannot be reached, refuses us, or is
 * older than needed.
 */
export async function connectLink(
  target: RedisConnectOptions,
  { onWarning }: { readonly onWarning: WarningListener },
): Promise<RedisLink> {
  const link = await open(target);
  try {
    await checkServer(link, onWarning);
    return link;
  } catch (error) {
    await link.close();
    throw error;
  }
}

async function open(target: RedisConnectOptions): Promise<RedisLink> {
  if (typeof target === "string" || target instanceof URL) {
    return await openClient({ url: String(target) });
  }
  if (!isPlainObject(target)) {
    throw new TypeError(
      `cannot connect to ${
        describe(target)
      }: expected a redis[s]:// URL, options of a client, { rootNodes } of a Cluster, or { sentinelRootNodes, name } of a Sentinel`,
    );
  }
  if ("rootNodes" in target) {
    requireNodes("rootNodes", target.rootNodes);
    return await openCluster(target);
  }
  if ("sentinelRootNodes" in target) {
    requireNodes("sentinelRootNodes", target.sentinelRootNodes);
    if (typeof target.name !== "string" || target.name === "") {
      throw new TypeError(
        "name is missing: expected the name of the master that the Sentinels watch",
      );
    }
    return await openSentinel(target);
  }
  const unknown = Object.keys(target).filter((name) => /nodes?$/i.test(name));
  if (unknown.length > 0) {
    throw new TypeError(
      `unknown option ${
        unknown[0]
      }: expected rootNodes for a Cluster, or sentinelRootNodes and name for a Sentinel`,
    );
  }
  return await openClient(target as RedisClientSettings);
}

async function openClient(settings: RedisClientSettings): Promise<RedisLink> {
  const address = addressOf(settings);
  const first = new FirstConnection();
  const options = safeOptions(settings, first);
  const client = createClient(options as never) as unknown as NodeClient;
  await first.connect(client, address, timeoutOf(settings));
  return new ClientLink(client, true);
}

async function openCluster(
  settings: RedisClusterSettings,
): Promise<RedisLink> {
  const nodes = settings.rootNodes.map(addressOf).join(", ");
  const first = new FirstConnection();
  const cluster = createCluster({
    ...settings,
    commandOptions: COMMAND_OPTIONS,
    defaults: safeOptions(settings.defaults ?? {}, undefined),
  } as never) as unknown as ClusterClient & { connect(): Promise<unknown> };
  await first.connect(cluster, nodes, timeoutOf(settings.defaults ?? {}));
  return new ClusterLink(cluster, true);
}

async function openSentinel(
  settings: RedisSentinelSettings,
): Promise<RedisLink> {
  const nodes = settings.sentinelRootNodes
    .map(({ host, port }) => `${host}:${port}`).join(", ");
  const first = new FirstConnection();
  const replicas = (settings as { replicaPoolSize?: number }).replicaPoolSize;
  const sentinel = createSentinel({
    ...settings,
    // It would send a command again whose answer was lost, without telling.
    maxCommandRediscovers: 0,
    commandOptions: COMMAND_OPTIONS,
    nodeClientOptions: safeOptions(settings.nodeClientOptions ?? {}, undefined),
  } as never) as unknown as SentinelClient & { connect(): Promise<unknown> };
  await first.connect(
    sentinel,
    `${settings.name} of the Sentinels ${nodes}`,
    timeoutOf(settings.nodeClientOptions ?? {}),
  );
  return new OwnedSentinelLink(sentinel, (replicas ?? 0) > 0);
}

/** What every connection is given, whatever the caller's options say. */
function safeOptions(
  settings: RedisClientSettings,
  first: FirstConnection | undefined,
): object {
  const socket = (settings.socket ?? {}) as {
    reconnectStrategy?: unknown;
    socketTimeout?: number;
  };
  const strategy = socket.reconnectStrategy ?? defaultReconnect;
  return {
    ...settings,
    commandOptions: COMMAND_OPTIONS,
    // A command waits here, where its time is bounded, not in the client.
    disableOfflineQueue: true,
    pingInterval: settings.pingInterval ?? 1000,
    socket: {
      ...socket,
      socketTimeout: socket.socketTimeout ?? SOCKET_TIMEOUT_MS,
      ...(first === undefined ? {} : {
        reconnectStrategy: (retries: number, cause: Error) => {
          if (!first.isMade) return cause;
          return typeof strategy === "function"
            ? strategy(retries, cause)
            : strategy;
        },
      }),
    },
  };
}

/** The first connection of a client: made at once, or not at all. */
class FirstConnection {
  isMade = false;

  async connect(
    client: {
      readonly isOpen: boolean;
      on(event: string, listener: () => void): unknown;
      connect(): Promise<unknown>;
      destroy(): unknown;
    },
    address: string,
    timeoutMs: number,
  ): Promise<void> {
    // Every failure reaches its caller through a rejected command; without a
    // listener the event would end the process.
    client.on("error", () => {});
    try {
      // A server that accepts and stays silent would be waited for endlessly.
      await (timeoutMs > 0
        ? deadline(client.connect(), timeoutMs)
        : client.connect());
    } catch (cause) {
      try {
        Promise.resolve(client.destroy()).catch(() => {});
      } catch {
        // It has closed itself.
      }
      throw new BackendError(
        `cannot connect to Redis at ${address}: ${reasonOf(cause)}`,
        { cause },
      );
    }
    this.isMade = true;
  }
}

/** How long connecting may take, in milliseconds; 0: as long as it takes. */
function timeoutOf(settings: RedisClientSettings): number {
  const { connectTimeout } = (settings.socket ?? {}) as {
    connectTimeout?: number;
  };
  return connectTimeout ?? CONNECT_MS;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function requireNodes(name: string, nodes: unknown): void {
  if (Array.isArray(nodes) && nodes.length > 0) return;
  throw new TypeError(
    `${name} is ${
      Array.isArray(nodes) ? "empty" : describe(nodes)
    }: expected an array of nodes`,
  );
}

/** Waits longer from try to try, two seconds at most, and never gives up. */
function defaultReconnect(retries: number): number {
  return Math.min(2 ** retries * 25, 2000) + Math.floor(Math.random() * 50);
}

/** Host and port, or a socket's path: what a message may name. */
function addressOf({ url, socket }: RedisClientSettings): string {
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
