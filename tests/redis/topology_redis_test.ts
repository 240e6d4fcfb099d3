/**
 * Every kind of node-redis client and of Redis deployment: RESP2, a Cluster of three, a Sentinel with a failover, and replicas that confirm.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient, createCluster, createSentinel } from "redis";
import {
  BackendError,
  makeKey,
  RedisBackend,
  type RedisClientLike,
} from "../../mod.ts";
import {
  type RedisServer,
  startRedisServer,
} from "../../scripts/lib/redis_server.ts";
import { everyOperation } from "../support/every_operation.ts";
import { ownServerEnabled, redisEnabled, redisUrl } from "../support/gate.ts";
import { waitUntil } from "../support/wait.ts";

/** A replica is served when it asks, not after waiting for others. */
const SYNC_AT_ONCE = ["--repl-diskless-sync-delay", "0"];

const OWNERS = ["alice", "urn:bob", "{c}", "d", "e", "f", "g"];

/** Every operation for several owners: on a Cluster, on every node. */
async function useEverything(client: RedisClientLike): Promise<void> {
  const prefix = `mcp-test-${crypto.randomUUID()}`;
  await using backend = new RedisBackend(client, { prefix });
  for (const owner of OWNERS) await everyOperation(backend, owner);
}

Deno.test({
  name: "redis_resp2_client_serves_every_operation",
  ignore: !redisEnabled,
  fn: async () => {
    const client = await createClient({ url: redisUrl, RESP: 2 }).connect();
    try {
      await useEverything(client);
      // Borrowed, so neither closed nor put into subscriber mode.
      assertEquals(await client.ping(), "PONG");
    } finally {
      await client.close();
    }
  },
});

Deno.test({
  name: "redis_cluster_serves_every_operation",
  ignore: !ownServerEnabled,
  fn: async () => {
    await using nodes = new AsyncDisposableStack();
    const servers: RedisServer[] = [];
    for (let i = 0; i < 3; i++) {
      const server = await startRedisServer({
        args: ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"],
      });
      servers.push(nodes.use(server));
    }
    await formCluster(servers);
    const cluster = await createCluster({
      rootNodes: servers.map(({ url }) => ({ url })),
    }).connect();
    try {
      await useEverything(cluster);
      await assertRejects(
        () =>
          new RedisBackend(cluster, { schema: "pmcp" })
            .put(makeKey("alice", "t-1"), "a"),
        BackendError,
        "CROSSSLOT",
      );
    } finally {
      await cluster.close();
    }
  },
});

Deno.test({
  name: "redis_sentinel_serves_every_operation_and_survives_a_failover",
  ignore: !ownServerEnabled,
  fn: async () => {
    await using nodes = new AsyncDisposableStack();
    const master = nodes.use(await startRedisServer({ args: SYNC_AT_ONCE }));
    const { port } = master;
    nodes.use(
      await startRedisServer({ args: ["--replicaof", "127.0.0.1", `${port}`] }),
    );
    const watcher = nodes.use(
      await startRedisServer({
        sentinel: [
          `sentinel monitor main 127.0.0.1 ${port} 1`,
          "sentinel down-after-milliseconds main 500",
          "sentinel failover-timeout main 2000",
        ],
      }),
    );
    await waitForReplica(master);
    await waitForSentinel(watcher);
    const sentinel = createSentinel({
      name: "main",
      sentinelRootNodes: [{ host: "127.0.0.1", port: watcher.port }],
      scanInterval: 200,
    });
    sentinel.on("error", () => {});
    await sentinel.connect();
    try {
      await useEverything(sentinel);
      await using backend = new RedisBackend(sentinel, {
        retry: { timeoutMs: 1000 },
      });
      const key = makeKey("alice", "t-1");
      const meta = { expiresAt: Date.now() + 60_000 };
      // What the replica does not have yet, a failover would lose.
      const durability = { replicas: 1, timeoutMs: 10_000 };
      await new RedisBackend(sentinel, { durability })
        .create(key, "before", { meta });
      await master.kill();
      await waitUntil("a write on the new master", async () => {
        try {
          const { version } = await backend.get(key);
          return await backend.putIfVersion(key, "after", version, meta);
        } catch (error) {
          if (error instanceof BackendError) return undefined;
          throw error;
        }
      }, { deadlineMs: 60_000, everyMs: 100 });
      assertEquals((await backend.get(key)).data, "after");
    } finally {
      await sentinel.close();
    }
  },
});

Deno.test({
  name: "redis_durability_waits_for_replicas_and_says_what_stands",
  ignore: !ownServerEnabled,
  fn: async () => {
    await using nodes = new AsyncDisposableStack();
    const master = nodes.use(await startRedisServer({ args: SYNC_AT_ONCE }));
    const replica = nodes.use(
      await startRedisServer({
        args: ["--replicaof", "127.0.0.1", `${master.port}`],
      }),
    );
    await waitForReplica(master);
    // A replica may be slow to confirm; one that is gone never does.
    const open = (timeoutMs: number) =>
      RedisBackend.connect(master.url, {
        durability: { replicas: 1, timeoutMs },
        // The wait for replicas comes on top of it.
        retry: { timeoutMs: 200 },
      });
    await using backend = await open(10_000);
    await using hasty = await open(400);
    const key = makeKey("alice", "t-1");
    assertEquals(await backend.create(key, "a"), 1);
    await replica.stop();
    const error = await assertRejects(
      () => hasty.putIfVersion(key, "b", 1),
      BackendError,
      "0 of 1 replicas",
    );
    assertEquals([error.outcome, error.version], ["applied", 2]);
    assertEquals(await backend.get(key), { data: "b", version: 2 });
    // A script cache that is lost costs a further round trip, not the answer.
    const fresh = nodes.use(
      await startRedisServer({
        args: ["--replicaof", "127.0.0.1", `${master.port}`],
      }),
    );
    await waitForReplica(master);
    const raw = await createClient({ url: master.url }).connect();
    await raw.scriptFlush();
    await raw.close();
    assertEquals(await backend.putIfVersion(key, "c", 2), 3);
    assert(fresh.port !== replica.port);
  },
});

async function formCluster(servers: readonly RedisServer[]): Promise<void> {
  const slots = [[0, 5460], [5461, 10922], [10923, 16383]] as const;
  for (const [i, server] of servers.entries()) {
    const raw = await createClient({ url: server.url }).connect();
    const [from, to] = slots[i]!;
    await raw.sendCommand(["CLUSTER", "ADDSLOTSRANGE", `${from}`, `${to}`]);
    await raw.sendCommand([
      "CONFIG",
      "SET",
      "cluster-announce-ip",
      "127.0.0.1",
    ]);
    if (i > 0) {
      const first = servers[0]!;
      await raw.sendCommand([
        ...["CLUSTER", "MEET", "127.0.0.1", `${first.port}`],
      ]);
    }
    await raw.close();
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
}

async function waitForReplica(master: RedisServer): Promise<void> {
  await ask(
    master,
    ["INFO", "replication"],
    (info) => info.includes("state=online"),
  );
}

async function waitForSentinel(sentinel: RedisServer): Promise<void> {
  await ask(
    sentinel,
    ["INFO", "sentinel"],
    (info) => info.includes("slaves=1"),
  );
}

/** Asks a server until its answer is the one waited for. */
async function ask(
  server: RedisServer,
  command: string[],
  isRight: (answer: string) => boolean,
): Promise<void> {
  const raw = await createClient({ url: server.url }).connect();
  try {
    await waitUntil(
      command.join(" "),
      async () => isRight(String(await raw.sendCommand(command))),
      { deadlineMs: 20_000, everyMs: 20 },
    );
  } finally {
    await raw.close();
  }
}
