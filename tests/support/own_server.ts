/**
 * Tests on a server of their own, which they may break.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type RedisServer,
  type RedisServerOptions,
  startRedisServer,
} from "../../scripts/lib/redis_server.ts";
import { ownServerEnabled } from "./gate.ts";
import { openRaw, type RawClient } from "./redis_fixture.ts";
import { waitUntil } from "./wait.ts";

/** Arguments of a primary that serves a replica at once, not after seconds. */
export const SYNC_AT_ONCE: readonly string[] = [
  "--repl-diskless-sync-delay",
  "0",
];

/** Registers a test with a server of its own. */
export function serverTest(
  name: string,
  body: (server: RedisServer, raw: RawClient) => Promise<void>,
  options: RedisServerOptions = {},
): void {
  Deno.test({
    name: `redis_${name}`,
    ignore: !ownServerEnabled,
    async fn() {
      await using server = await startRedisServer(options);
      const raw = await openRaw(server.url);
      try {
        await body(server, raw);
      } finally {
        raw.destroy();
      }
    },
  });
}

/** Registers a test that starts any number of servers, on the stack it gets. */
export function serversTest(
  name: string,
  body: (servers: AsyncDisposableStack) => Promise<void>,
): void {
  Deno.test({
    name: `redis_${name}`,
    ignore: !ownServerEnabled,
    async fn() {
      await using servers = new AsyncDisposableStack();
      await body(servers);
    },
  });
}

/** Starts a replica; `waitForReplica` waits until it is served. */
export function startReplica(primary: RedisServer): Promise<RedisServer> {
  return startRedisServer({
    args: ["--replicaof", "127.0.0.1", `${primary.port}`],
  });
}

/** Waits until a replica has the primary's data and gets every write. */
export async function waitForReplica(primary: RedisServer): Promise<void> {
  await waitForAnswer(primary, ["INFO", "replication"], /state=online/);
}

/** Starts a Cluster of three primaries that share the slots. */
export async function startCluster(
  servers: AsyncDisposableStack,
): Promise<readonly RedisServer[]> {
  const nodes: RedisServer[] = [];
  for (const slots of [[0, 5460], [5461, 10922], [10923, 16383]]) {
    const node = servers.use(
      await startRedisServer({
        args: ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"],
      }),
    );
    nodes.push(node);
    const raw = await openRaw(node.url);
    try {
      await raw.sendCommand(["CLUSTER", "ADDSLOTSRANGE", ...slots.map(String)]);
      await raw.configSet("cluster-announce-ip", "127.0.0.1");
      const meet = ["CLUSTER", "MEET", "127.0.0.1", `${nodes[0]!.port}`];
      if (nodes.length > 1) await raw.sendCommand(meet);
    } finally {
      raw.destroy();
    }
  }
  for (const node of nodes) {
    await waitForAnswer(node, ["CLUSTER", "INFO"], /cluster_state:ok/);
    await waitForAnswer(node, ["CLUSTER", "INFO"], /cluster_known_nodes:3/);
  }
  return nodes;
}

/** Starts a Sentinel that watches a primary as `main`, and knows its replica. */
export async function startSentinel(
  primary: RedisServer,
): Promise<RedisServer> {
  const sentinel = await startRedisServer({
    sentinel: [
      `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
      "sentinel down-after-milliseconds main 500",
      "sentinel failover-timeout main 2000",
    ],
  });
  await waitForAnswer(sentinel, ["INFO", "sentinel"], /slaves=1/);
  return sentinel;
}

/** Asks a server until its answer is the one waited for. */
async function waitForAnswer(
  server: RedisServer,
  command: string[],
  wanted: RegExp,
): Promise<void> {
  const raw = await openRaw(server.url);
  try {
    await waitUntil(
      `${command.join(" ")} answers ${wanted.source}`,
      async () => wanted.test(String(await raw.sendCommand(command))),
      { deadlineMs: 20_000, everyMs: 20 },
    );
  } finally {
    raw.destroy();
  }
}

/** Fails if a hash of alice lacks an index entry it must have, or the reverse. */
export async function assertIndexesMatch(
  raw: RawClient,
  when: string,
  prefix = "mcp",
): Promise<void> {
  const records = `${prefix}:tasks:{alice}:`;
  const names = (await raw.keys(`${records}*`)).sort();
  const tasks = names.map((name) => name.slice(records.length));
  const created = await raw.zRange(`${prefix}:idx:{alice}`, 0, -1);
  assertEquals(created.toSorted(), tasks, when);
  const expiring: string[] = [];
  for (const [i, name] of names.entries()) {
    const hash = await raw.hGetAll(name);
    assert(hash.version !== undefined && hash.data !== undefined, when);
    const ttl = await raw.pTTL(name);
    assertEquals(ttl !== -1, hash.expires_at !== undefined, when);
    if (ttl !== -1) expiring.push(tasks[i]!);
  }
  const expiries = await raw.zRange(`${prefix}:exp:{alice}`, 0, -1);
  assertEquals(expiries.toSorted(), expiring, when);
}

/** Arguments of a server whose keys {@linkcode snapshot} can compare. */
export const DEBUGGABLE: readonly string[] = ["--enable-debug-command", "yes"];

/** Every key of a server: a digest of what it holds, and when it ends. */
export async function snapshot(
  raw: RawClient,
): Promise<Map<string, [digest: string, expiresAt: number]>> {
  const keys = (await raw.keys("*")).sort();
  const digests = keys.length === 0
    ? []
    : await raw.sendCommand(["DEBUG", "DIGEST-VALUE", ...keys]) as unknown[];
  const ends = await Promise.all(keys.map((key) => raw.pExpireTime(key)));
  return new Map(
    keys.map((key, i) => [key, [String(digests[i]), ends[i]!]]),
  );
}
