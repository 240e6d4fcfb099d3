/**
 * Opens connections of our own, with what node-redis needs to be fast and
 * safe.
 *
 * @module
 */

import {
  createClient,
  createCluster,
  createSentinel,
  type RedisClientOptions,
  type RedisClusterOptions,
  type RedisSentinelOptions,
} from "redis";
import { BackendError } from "../storage/errors.ts";
import { deadline } from "../util/deadline.ts";
import { type Closable, closeClient } from "./base_link.ts";
import { ClientLink } from "./client_link.ts";
import {
  type ClusterClient,
  COMMAND_OPTIONS,
  type Emitter,
  type NodeClient,
  type SentinelClient,
} from "./client_like.ts";
import { ClusterLink } from "./cluster_link.ts";
import type {
  RedisClientSettings,
  RedisConnectOptions,
} from "./connect_options.ts";
import { type ConnectTarget, readTarget } from "./connect_target.ts";
import type { WarningListener } from "../storage/warnings.ts";
import type { RedisLink } from "./link_types.ts";
import { OwnedSentinelLink } from "./sentinel_link.ts";
import type { DurabilityOptions } from "./executor/retry.ts";
import { checkServer } from "./server_check.ts";
import { SOCKET_TIMEOUT_MS } from "./watchdog.ts";

export type {
  RedisClientSettings,
  RedisClusterSettings,
  RedisConnectOptions,
  RedisSentinelNode,
  RedisSentinelSettings,
} from "./connect_options.ts";

/**
 * The longest time of the first connection and the check of the server, in
 * milliseconds.
 */
const CONNECT_TIMEOUT_MS = 5000;

/** Options of `connectLink`. */
export interface ConnectLinkOptions {
  /** Called with what an operator should know. */
  readonly onWarning: WarningListener;
  /** The durability of writes, if that is asked for. */
  readonly durability?: DurabilityOptions | undefined;
}

/** A client that was made, and not connected yet. */
interface Opening {
  readonly client: Emitter & Closable & { connect(): Promise<unknown> };
  toLink(): RedisLink;
}

/**
 * Opens a connection. The first one is made at once or not at all; a later
 * loss is repaired by the client itself.
 *
 * @throws {TypeError} If the target is nothing that can be connected to.
 * @throws {BackendError} If the server cannot be reached, refuses us, is too
 * old or of another kind than the target says.
 */
export async function connectLink(
  target: RedisConnectOptions,
  { onWarning, durability }: ConnectLinkOptions,
): Promise<RedisLink> {
  const read = readTarget(target);
  const { address } = read;
  const phase = { connected: false };
  const { client, toLink } = open(read, phase);
  // Every failure reaches its caller through a rejected command; without a
  // listener the event would end the process.
  let reported: unknown;
  client.on("error", (error) => {
    if (!phase.connected) reported = error;
  });
  // A server that accepts and stays silent would be waited for without end.
  const { connectTimeout = CONNECT_TIMEOUT_MS } = socketOf(read);
  const within = <T>(promise: Promise<T>) =>
    // 0 means to node-redis: no bound.
    connectTimeout > 0 ? deadline(promise, connectTimeout) : promise;
  let link: RedisLink | undefined;
  try {
    await within(client.connect());
    phase.connected = true;
    link = toLink();
    await within(
      link.nodeOf("").then((node) =>
        checkServer(node, address, {
          isCluster: read.kind === "cluster",
          isDurable: durability !== undefined,
          onWarning,
        })
      ),
    );
    return link;
  } catch (cause) {
    if (link) await link.close();
    else await closeClient(client, false);
    if (cause instanceof BackendError) throw cause;
    throw new BackendError(
      `cannot connect to Redis at ${address}: ${reasonOf(cause, reported)}`,
      { cause },
    );
  }
}

function open(target: ConnectTarget, phase: { connected: boolean }): Opening {
  switch (target.kind) {
    case "client": {
      const client = createClient(
        nodeOptions(target.options, phase, COMMAND_OPTIONS),
      ) as unknown as NodeClient;
      return { client, toLink: () => new ClientLink(client, true) };
    }
    case "cluster": {
      const { options } = target;
      const cluster = createCluster({
        topologyRefreshOnReconnectionAttemptStrategy: 500,
        ...options as RedisClusterOptions,
        // node-redis writes into them.
        rootNodes: options.rootNodes.map((node) => ({ ...node })),
        defaults: nodeOptions(options.defaults, phase),
        commandOptions: COMMAND_OPTIONS,
      } as RedisClusterOptions) as unknown as ClusterClient & Opening["client"];
      return { client: cluster, toLink: () => new ClusterLink(cluster, true) };
    }
    case "sentinel": {
      const options = target.options as unknown as RedisSentinelOptions;
      const sentinel = createSentinel({
        // With mapped addresses each scan would take the master for another
        // one and open its connections again.
        ...options.nodeAddressMap ? {} : { scanInterval: 1000 },
        ...options,
        nodeClientOptions: {
          // Only one of its connections is asked by us.
          pingInterval: 1000,
          ...nodeOptions(target.options.nodeClientOptions, phase),
        },
        sentinelClientOptions: {
          pingInterval: 1000,
          ...nodeOptions(target.options.sentinelClientOptions, phase),
        },
        maxCommandRediscovers: 0,
        reserveClient: true,
        commandOptions: COMMAND_OPTIONS,
      } as RedisSentinelOptions) as unknown as
        & SentinelClient
        & Opening["client"];
      return {
        client: sentinel,
        toLink: () => new OwnedSentinelLink(sentinel),
      };
    }
  }
}

/** The options of a connection to one server. */
function nodeOptions(
  options: RedisClientSettings = {},
  phase: { readonly connected: boolean },
  commandOptions?: object,
): RedisClientOptions {
  const given = options as RedisClientOptions;
  const repair = given.socket?.reconnectStrategy ?? defaultReconnect;
  return {
    ...given,
    ...commandOptions && { commandOptions },
    disableOfflineQueue: true,
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelay: 5000,
      ...given.socket,
      reconnectStrategy: (retries: number, cause: Error) => {
        if (!phase.connected) return cause;
        return typeof repair === "function" ? repair(retries, cause) : repair;
      },
    } as RedisClientOptions["socket"],
  };
}

/** Waits longer from try to try, a second at most, and never gives up. */
function defaultReconnect(retries: number): number {
  return Math.min(2 ** retries * 25, 1000) + Math.floor(Math.random() * 50);
}

function socketOf(target: ConnectTarget): { connectTimeout?: number } {
  const options = target.kind === "client"
    ? target.options
    : target.kind === "cluster"
    ? target.options.defaults
    : target.options.nodeClientOptions;
  return options?.socket ?? {};
}

/** Says what went wrong, and what it was reported to be caused by. */
function reasonOf(cause: unknown, reported: unknown): string {
  const reason = messageOf(cause);
  const detail = reported === undefined ? reason : messageOf(reported);
  return reason.includes(detail) ? reason : `${reason} (${detail})`;
}

/** The first message found: an AggregateError of several addresses has none. */
function messageOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === "") {
    return cause.errors.map(messageOf).join(", ");
  }
  return cause instanceof Error ? cause.message : String(cause);
}
