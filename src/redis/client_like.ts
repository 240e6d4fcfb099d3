/**
 * Clients of node-redis, described by their shapes: the public one that a
 * caller may hand over, and what each kind offers to a link.
 *
 * @module
 */

import { RESP_TYPES } from "redis";

/** The keys and arguments of a script. */
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

/**
 * A connected client of node-redis 6: what `createClient`, `createClientPool`,
 * `createCluster` or `createSentinel` make. A client of another library is
 * refused with a `TypeError`.
 */
export interface RedisClientLike extends ScriptRunner {
  /** Whether it has been connected and not closed. */
  readonly isOpen: boolean;
  /** Sends any command. */
  sendCommand(...args: never[]): Promise<unknown>;
  /** Makes a view of the client with other options for its commands. */
  withCommandOptions(options: never): unknown;
  /** Adds a listener. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Removes a listener. */
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** A source of events of a connection. */
export interface Emitter {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** Options of one command. */
export interface CommandOptions {
  readonly timeout?: number | undefined;
  readonly typeMapping?: unknown;
  readonly abortSignal?: AbortSignal | undefined;
  readonly asap?: boolean | undefined;
}

/** A client of one server. */
export interface NodeClient extends Emitter {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  readonly isPubSubActive: boolean;
  readonly options?: { readonly socket?: object; readonly keyPrefix?: unknown };
  sendCommand(args: string[], options?: CommandOptions): Promise<unknown>;
  withCommandOptions(options: CommandOptions): NodeClient;
  duplicate(overrides: object): NodeClient;
  connect(): Promise<unknown>;
  destroy(): void;
  close(): Promise<unknown>;
  sSubscribe(channel: string, listener: PushListener): Promise<unknown>;
  sUnsubscribe(channel: string, listener: PushListener): Promise<unknown>;
}

/** Called by a client with each message. */
export type PushListener = (message: string, channel: string) => void;

/** A pool of clients of one server. */
export interface PoolClient extends Emitter {
  readonly isOpen: boolean;
  readonly isClosing: boolean;
  sendCommand(args: string[]): Promise<unknown>;
  withCommandOptions(options: CommandOptions): PoolClient;
  execute<T>(task: (client: NodeClient) => T): Promise<T>;
}

/** A node of a Cluster. */
export interface ClusterNode {
  readonly client?: NodeClient;
  readonly pubSub?: { readonly client: NodeClient };
}

/** A client of a Cluster. */
export interface ClusterClient extends Emitter {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  readonly masters: readonly ClusterNode[];
  readonly replicas: readonly ClusterNode[];
  readonly nodeByAddress: ReadonlyMap<string, ClusterNode>;
  sendCommand(
    key: string,
    readonly: boolean,
    args: string[],
  ): Promise<unknown>;
  withCommandOptions(options: CommandOptions): ClusterClient;
  nodeClient(node: ClusterNode): Promise<NodeClient>;
  getNodeClientForKey(key: string, readonly: boolean): Promise<NodeClient>;
  close(): Promise<unknown>;
  destroy(): void;
}

/** A client of the master that Sentinels name. */
export interface SentinelClient extends Emitter {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  sendCommand(readonly: boolean, args: string[]): Promise<unknown>;
  withCommandOptions(options: CommandOptions): SentinelClient;
  duplicate(overrides?: object): SentinelClient;
  getMasterNode(): unknown;
  /** Hands a ready client of the master to a task. */
  _execute<T>(
    readonly: boolean,
    task: (client: NodeClient) => T | Promise<T>,
  ): Promise<T>;
  close(): Promise<unknown>;
  destroy(): Promise<unknown>;
}

/** A client whose kind is known. */
export type KnownClient =
  | { readonly kind: "client"; readonly client: NodeClient }
  | { readonly kind: "pool"; readonly client: PoolClient }
  | { readonly kind: "cluster"; readonly client: ClusterClient }
  | { readonly kind: "sentinel"; readonly client: SentinelClient };

/**
 * The options of each command of ours: no timer in the client (the executor
 * has one for all), and answers that do not depend on the protocol version or
 * on what a borrowed client maps them to.
 */
export const COMMAND_OPTIONS: CommandOptions = {
  timeout: 0,
  typeMapping: { [RESP_TYPES.MAP]: Array, [RESP_TYPES.DOUBLE]: String },
  abortSignal: undefined,
  asap: undefined,
};

/**
 * Tells which kind of client a value is.
 *
 * @throws {TypeError} If it is none, or not connected.
 */
export function recognizeClient(value: unknown): KnownClient {
  const known = kindOf(value);
  if (known === undefined) {
    throw new TypeError(
      `the client is ${
        describe(value)
      }: expected a connected client, pool, cluster or sentinel of node-redis 6`,
    );
  }
  if (!known.client.isOpen) {
    throw new TypeError(
      `the client is a node-redis ${known.kind} that is not connected: await its connect() first`,
    );
  }
  return known;
}

function kindOf(value: unknown): KnownClient | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const has = (...methods: string[]) =>
    methods.every((method) =>
      typeof (value as Record<string, unknown>)[method] === "function"
    );
  if (!has("sendCommand", "withCommandOptions", "evalSha", "on", "off")) {
    return undefined;
  }
  if (has("getMasterNode", "_execute")) {
    return { kind: "sentinel", client: value as SentinelClient };
  }
  if (has("getNodeClientForKey", "nodeClient")) {
    return { kind: "cluster", client: value as ClusterClient };
  }
  if (has("execute", "connect")) {
    return { kind: "pool", client: value as PoolClient };
  }
  return has("duplicate", "sSubscribe") && "isPubSubActive" in value
    ? { kind: "client", client: value as NodeClient }
    : undefined;
}

/** Names a value for a message, without showing what may be a secret. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  if (typeof (value as { then?: unknown }).then === "function") {
    return "a promise (is an await missing?)";
  }
  const name = value.constructor?.name;
  return name && name !== "Object" ? `an instance of ${name}` : "an object";
}
