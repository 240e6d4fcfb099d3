/**
 * Every kind of node-redis client and of Redis deployment: RESP2, a Cluster of
 * three, a Sentinel with a failover, and replicas that confirm.
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
import { startRedisServer } from "../../scripts/lib/redis_server.ts";
import { everyOperation } from "../support/every_operation.ts";
import { redisTest } from "../support/redis_fixture.ts";
import {
  serversTest,
  startCluster,
  startReplica,
  startSentinel,
  SYNC_AT_ONCE,
  waitForReplica,
} from "../support/own_server.ts";
import { waitUntil } from "../support/wait.ts";

const OWNERS = ["alice", "urn:bob", "{c}", "d", "e", "f", "g"];

/** Every operation for several owners: on a Cluster, on every node. */
async function useEverything(client: RedisClientLike): Promise<void> {
  const prefix = `mcp-test-${crypto.randomUUID()}`;
  await using backend = new RedisBackend(client, { prefix });
  for (const owner of OWNERS) await everyOperation(backend, owner);
}

redisTest("resp2_client_serves_every_operation", async (redis) => {
  const client = await createClient({ url: redis.url, RESP: 2 }).connect();
  try {
    await useEverything(client);
    // Borrowed, so neither closed nor put into subscriber mode.
    assertEquals(await client.ping(), "PONG");
  } finally {
    await client.close();
  }
});

serversTest("cluster_serves_every_operation", async (servers) => {
  const nodes = await startCluster(servers);
  const cluster = await createCluster({
    rootNodes: nodes.map(({ url }) => ({ url })),
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
});

serversTest(
  "sentinel_serves_every_operation_and_survives_a_failover",
  async (servers) => {
    const master = servers.use(await startRedisServer({ args: SYNC_AT_ONCE }));
    servers.use(await startReplica(master));
    await waitForReplica(master);
    const watcher = servers.use(await startSentinel(master));
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
);

serversTest(
  "durability_waits_for_replicas_and_says_what_is_stored",
  async (servers) => {
    const master = servers.use(await startRedisServer({ args: SYNC_AT_ONCE }));
    const replica = servers.use(await startReplica(master));
    await waitForReplica(master);
    // A replica may be slow to confirm; one that is gone never does.
    const open = (timeoutMs: number) =>
      RedisBackend.connect(master.url, {
        durability: { replicas: 1, timeoutMs },
        // The wait for replicas comes on top of it.
        retry: { timeoutMs: 2000 },
      });
    await using backend = await open(10_000);
    await using hasty = await open(2500);
    const key = makeKey("alice", "t-1");
    assertEquals(await backend.create(key, "a"), 1);
    await replica.stop();
    const error = await assertRejects(
      () => hasty.putIfVersion(key, "b", 1),
      BackendError,
      "0 of 1 replicas",
    );
    assertEquals([error.outcome, error.version], ["applied", 2]);
    assertEquals((await backend.get(key)).version, 2);
    // A script cache that is lost costs a further round trip, not the answer.
    const fresh = servers.use(await startReplica(master));
    await waitForReplica(master);
    const raw = await createClient({ url: master.url }).connect();
    await raw.scriptFlush();
    await raw.close();
    assertEquals(await backend.putIfVersion(key, "c", 2), 3);
    assert(fresh.port !== replica.port);
  },
);
