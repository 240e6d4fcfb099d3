/** Reads what `connect` was given, and refuses what node-redis would ignore. */

import { describe } from "./client_like.ts";
import type {
  RedisClientSettings,
  RedisClusterSettings,
  RedisSentinelSettings,
} from "./connect_options.ts";

/** A target, and its address for messages: never a password. */
export type ConnectTarget =
  | {
    readonly kind: "client";
    readonly address: string;
    readonly options: RedisClientSettings;
  }
  | {
    readonly kind: "cluster";
    readonly address: string;
    readonly options: RedisClusterSettings;
  }
  | {
    readonly kind: "sentinel";
    readonly address: string;
    readonly options: RedisSentinelSettings;
  };

/** Options of other clients, which node-redis ignores and dials localhost. */
const MISPLACED: Readonly<Record<string, string>> = {
  host: "put it into socket: { host, port }",
  port: "put it into socket: { host, port }",
  path: "put it into socket: { path }",
  tls: "put it into socket: { tls }",
  db: "call it database",
  nodes: "call them rootNodes",
  sentinels: "call them sentinelRootNodes",
  masterName: "call it name, beside sentinelRootNodes",
  uri: "call it url",
  hostname: "put it into socket: { host, port }",
};

/** The same in `socket`. */
const MISPLACED_IN_SOCKET: Readonly<Record<string, string>> = {
  hostname: "call it host",
  url: "put it beside socket",
};

const EXPECTED =
  "expected a redis:// or rediss:// URL, or options of a node-redis client, Cluster (rootNodes) or Sentinel (sentinelRootNodes, name)";

/**
 * Tells what to connect to.
 *
 * @throws {TypeError} If it is nothing that can be connected to.
 */
export function readTarget(target: unknown): ConnectTarget {
  if (typeof target === "string") return clientTarget({ url: target });
  if (target instanceof URL) return clientTarget({ url: target.href });
  if (!isPlainObject(target)) {
    const unset = target === undefined
      ? " (is an environment variable unset?)"
      : "";
    const hint = hasMethod(target, "sendCommand")
      ? "; a client that is connected already goes to new RedisBackend(client)"
      : "";
    throw new TypeError(
      `cannot connect to ${describe(target)}${unset}: ${EXPECTED}${hint}`,
    );
  }
  refuseMisplaced(target, MISPLACED, "");
  const isCluster = "rootNodes" in target;
  const isSentinel = "sentinelRootNodes" in target;
  if (isCluster && isSentinel) {
    throw new TypeError(
      "rootNodes and sentinelRootNodes are both given: a Cluster has no Sentinel",
    );
  }
  if (isCluster) return clusterTarget(target);
  if (isSentinel) return sentinelTarget(target);
  return clientTarget(target);
}

function refuseMisplaced(
  options: object,
  hints: Readonly<Record<string, string>>,
  path: string,
): void {
  for (const [name, hint] of Object.entries(hints)) {
    if (name in options) {
      throw new TypeError(`unknown option ${path}${name}: ${hint}`);
    }
  }
}

function clientTarget(options: object): ConnectTarget {
  return { kind: "client", address: addressOf(options), options };
}

function clusterTarget(options: object): ConnectTarget {
  const cluster = options as RedisClusterSettings;
  const address = requireNodes("rootNodes", cluster.rootNodes)
    .map((node) => {
      refuseMisplaced(node, MISPLACED, "");
      return addressOf(node);
    }).join(", ");
  if (cluster.defaults !== undefined) serverIn(cluster.defaults);
  return { kind: "cluster", address, options: cluster };
}

function sentinelTarget(options: object): ConnectTarget {
  const sentinel = options as RedisSentinelSettings;
  const nodes = requireNodes("sentinelRootNodes", sentinel.sentinelRootNodes);
  const addresses = nodes.map((node, i) => {
    const { host, port } = node as { host?: unknown; port?: unknown };
    if (typeof host !== "string" || typeof port !== "number") {
      throw new TypeError(
        `sentinelRootNodes[${i}] is ${
          describe(node)
        } without host and port: expected { host, port }`,
      );
    }
    return `${host}:${port}`;
  });
  if (typeof sentinel.name !== "string" || sentinel.name === "") {
    throw new TypeError(
      `name is ${
        sentinel.name === "" ? "empty" : describe(sentinel.name)
      }: expected the name under which the Sentinels monitor the master`,
    );
  }
  const address = `${sentinel.name} by Sentinel ${addresses.join(", ")}`;
  return { kind: "sentinel", address, options: sentinel };
}

function requireNodes(name: string, nodes: unknown): readonly object[] {
  if (!Array.isArray(nodes) || nodes.length === 0) {
    const found = Array.isArray(nodes) ? "empty" : describe(nodes);
    throw new TypeError(`${name} is ${found}: expected at least one node`);
  }
  for (const [i, node] of nodes.entries()) {
    if (!isPlainObject(node)) {
      throw new TypeError(
        `${name}[${i}] is ${describe(node)}: expected an object`,
      );
    }
  }
  return nodes;
}

/**
 * Host and port, or a socket's path: what a message may name. A URL and its
 * parser's error may hold a password: neither is shown.
 */
export function addressOf(options: object): string {
  const server = serverIn(options);
  if (server !== undefined) return server;
  // node-redis would dial localhost, whatever was meant.
  const names = Object.keys(options).join(", ");
  throw new TypeError(
    `no server is named in {${
      names && ` ${names} `
    }}: expected url, or socket with host, port or path`,
  );
}

/** The address in options, if they name one. */
function serverIn(options: object): string | undefined {
  const { url, socket } = options as {
    url?: unknown;
    socket?: { host?: string; port?: number; path?: string; tls?: boolean };
  };
  if ("url" in options) {
    if (typeof url !== "string") {
      throw new TypeError(
        `url is ${
          describe(url)
        }: expected a string (is an environment variable unset?)`,
      );
    }
    return addressOfUrl(url, socket?.tls);
  }
  if (socket !== undefined && !isPlainObject(socket)) {
    throw new TypeError(`socket is ${describe(socket)}: expected an object`);
  }
  refuseMisplaced(socket ?? {}, MISPLACED_IN_SOCKET, "socket.");
  const { host, port = 6379, path } = socket ?? {};
  if (typeof path === "string") return path;
  if (socket !== undefined && "host" in socket) {
    if (typeof host === "string" && host !== "") return `${host}:${port}`;
    throw new TypeError(
      `socket.host is ${
        host === "" ? "empty" : describe(host)
      }: expected a host name or IP address (is an environment variable unset?)`,
    );
  }
  return socket?.port === undefined ? undefined : `localhost:${port}`;
}

function addressOfUrl(url: string, tls: boolean | undefined): string {
  if (url.startsWith("unix:")) {
    const path = /^unix:\/\/(?:[^@/]*@)?(\/[^?#]+)/.exec(url)?.[1];
    if (path === undefined || path === "/") {
      throw new TypeError(
        "invalid Redis URL: expected unix://[user:password@]/path",
      );
    }
    return decodeURIComponent(path);
  }
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new TypeError(
      "invalid Redis URL: expected redis[s]://[user:password@]host[:port][/db]",
    );
  }
  if (!/^rediss?:$/.test(parsed.protocol)) {
    throw new TypeError(
      `invalid Redis URL with protocol "${parsed.protocol}": expected redis: or rediss:`,
    );
  }
  // Such as "redis:6390": node-redis would dial localhost.
  if (parsed.hostname === "") {
    throw new TypeError(
      `invalid Redis URL without a host: expected ${parsed.protocol}//[user:password@]host[:port][/db]`,
    );
  }
  // node-redis would say so with the whole URL.
  if (tls !== undefined && tls !== (parsed.protocol === "rediss:")) {
    throw new TypeError(
      `socket.tls is ${tls}, but the URL begins with ${parsed.protocol}`,
    );
  }
  return `${parsed.hostname}:${parsed.port || 6379}`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype ||
    // Of another realm.
    Object.getPrototypeOf(prototype) === null &&
      prototype.constructor?.name === "Object";
}

function hasMethod(value: unknown, method: string): boolean {
  return typeof (value as Record<string, unknown> | null | undefined)
    ?.[method] === "function";
}
