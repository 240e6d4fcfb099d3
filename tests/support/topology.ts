/**
 * Deployments of several servers: a Cluster, and a master with a replica under
 * a Sentinel.
 *
 * @module
 */

import { createClient } from "redis";
import {
  type RedisServer,
  startRedisServer,
} from "../../scripts/lib/redis_server.ts";
import { waitUntil } from "./wait.ts";

/** A replica is served when it asks, not after waiting for others. */
const SYNC_AT_ONCE = ["--repl-diskless-sync-delay", "0"];

/** A Cluster of three masters. */
export interface RedisCluster extends AsyncDisposable {
  readonly servers: readonly RedisServer[];
}

/** Starts a Cluster and waits until it serves. */
export async function startCluster(): Promise<RedisCluster> {
  const stack = new AsyncDisposableStack();
  try {
    const servers: RedisServer[] = [];
    for (let i = 0; i < 3; i++) {
      const args = [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "2000",
      ];
      servers.push(stack.use(await startRedisServer({ args })));
    }
    const slots = [[0, 5460], [5461, 10922], [10923, 16383]] as const;
    for (const [i, server] of servers.entries()) {
      const [from, to] = slots[i]!;
      await command(server, ["CLUSTER", "ADDSLOTSRANGE", `${from}`, `${to}`]);
      await command(server, [
        "CONFIG",
        "SET",
        "cluster-announce-ip",
        "127.0.0.1",
      ]);
      const { port } = servers[0]!;
      if (i > 0) {
        await command(server, ["CLUSTER", "MEET", "127.0.0.1", `${port}`]);
      }
    }
    for (const server of servers) {
      await ask(
        server,
        ["CLUSTER", "INFO"],
        (info) =>
          info.includes("cluster_state:ok") &&
          info.includes("cluster_known_nodes:3"),
      );
    }
    return { servers, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** A master and its replica. */
export interface Replication extends AsyncDisposable {
  readonly master: RedisServer;
  readonly replica: RedisServer;
}

/** Starts a master and a replica and waits until it follows. */
export async function startReplication(): Promise<Replication> {
  const stack = new AsyncDisposableStack();
  try {
    const master = stack.use(await startRedisServer({ args: SYNC_AT_ONCE }));
    const args = ["--replicaof", "127.0.0.1", `${master.port}`];
    const replica = stack.use(await startRedisServer({ args }));
    await waitForReplica(master);
    return {
      master,
      replica,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** A master and its replica under a Sentinel. */
export interface SentinelGroup extends Replication {
  readonly sentinel: RedisServer;
}

/** Starts a Sentinel that monitors `main`, and waits until it knows it. */
export async function startSentinelGroup(): Promise<SentinelGroup> {
  const stack = new AsyncDisposableStack();
  try {
    const { master, replica } = stack.use(await startReplication());
    const sentinel = stack.use(
      await startRedisServer({
        sentinel: [
          `sentinel monitor main 127.0.0.1 ${master.port} 1`,
          "sentinel down-after-milliseconds main 500",
          "sentinel failover-timeout main 2000",
        ],
      }),
    );
    await ask(
      sentinel,
      ["INFO", "sentinel"],
      (info) => info.includes("slaves=1"),
    );
    return {
      master,
      replica,
      sentinel,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Waits until a replica follows its master. */
export async function waitForReplica(master: RedisServer): Promise<void> {
  await ask(
    master,
    ["INFO", "replication"],
    (info) => info.includes("state=online"),
  );
}

/** Sends one command on a connection of its own. */
export async function command(
  server: { readonly url: string },
  args: string[],
): Promise<unknown> {
  const client = createClient({
    url: server.url,
    socket: { reconnectStrategy: false },
  });
  // A server may be killed meanwhile: the command rejects.
  client.on("error", () => {});
  await client.connect();
  try {
    return await client.sendCommand(args);
  } finally {
    client.destroy();
  }
}

/** Asks a server until its answer is the one waited for. */
export async function ask(
  server: { readonly url: string },
  args: string[],
  isRight: (answer: string) => boolean,
): Promise<void> {
  await waitUntil(
    args.join(" "),
    async () => isRight(String(await command(server, args))),
    { deadlineMs: 20_000, everyMs: 20 },
  );
}
