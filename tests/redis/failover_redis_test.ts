/**
 * The master of a Sentinel or of a part of a Cluster is killed: operations and
 * watches go on at most two seconds after another one has taken its place.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { createCluster, createSentinel } from "redis";
import {
  BackendError,
  makeKey,
  RedisBackend,
  type RedisBackendOptions,
  type RedisClientLike,
} from "../../mod.ts";
import {
  type RedisServer,
  startRedisServer,
} from "../../scripts/lib/redis_server.ts";
import { serversTest } from "../support/own_server.ts";
import { HOUR } from "../support/suite/env.ts";
import {
  ask,
  command,
  startCluster,
  startSentinelGroup,
  waitForReplica,
} from "../support/topology.ts";
import { deadline, pause, waitUntil } from "../support/wait.ts";

/** How long after the failover everything must work again. */
const RECOVERY_MS = 2000;

/** A failover to come. */
interface Failover {
  readonly backend: RedisBackend;
  /** A second instance: what it writes, the first one learns by events. */
  readonly other: RedisBackend;
  /** The owner whose keys move. */
  readonly owner: string;
  /** What they are on before. */
  readonly master: RedisServer;
  /** What takes over. */
  readonly replica: RedisServer;
  /** Whether it is done, as far as clients can learn of it. */
  readonly isDone: () => Promise<boolean>;
  /** Brings it about. */
  readonly begin: () => Promise<unknown>;
}

/** Writes and watches through a failover, and judges the times. */
async function goThrough(
  { backend, other, owner, master, replica, begin, isDone }: Failover,
): Promise<void> {
  const key = makeKey(owner, "watched");
  await backend.put(key, "1", HOUR);
  const watch = backend.watch(key)[Symbol.asyncIterator]();
  assertEquals((await watch.next()).value?.data, "1");
  // Its subscription is made, and its event comes.
  await other.put(key, "2", HOUR);
  assertEquals((await watch.next()).value?.data, "2");
  // A change without an event: only reading again finds it.
  const record = `mcp:tasks:{${owner}}:watched`;
  const change = ["HSET", record, "version", "3", "data", "silent"];
  await command(master, change);
  const [, written] = await command(master, ["ROLE"]) as [string, number];
  await waitUntil("it is replicated", async () => {
    const role = await command(replica, ["ROLE"]) as unknown[];
    return Number(role[4]) >= written;
  });

  const seenAtMs = new Map<string, number>();
  const following = (async () => {
    for await (const { data } of { [Symbol.asyncIterator]: () => watch }) {
      seenAtMs.set(data, performance.now());
      if (data === "after") return;
    }
  })();
  following.catch(() => {});

  await begin();
  let doneAtMs = Infinity;
  let writtenAtMs = Infinity;
  const promoted = waitUntil("the failover", isDone, {
    deadlineMs: 30_000,
    everyMs: 20,
  }).then(() => {
    doneAtMs = performance.now();
  });
  // Operations are under way all the time, as those of a server are.
  const outcomes: string[] = [];
  const write = async (n: number) => {
    try {
      await other.put(makeKey(owner, `t-${n}`), "x", HOUR);
      if (doneAtMs < Infinity) {
        writtenAtMs = Math.min(writtenAtMs, performance.now());
      }
      outcomes.push("applied");
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      outcomes.push(`${error.outcome}: ${error.message}`);
    }
  };
  const writes: Promise<void>[] = [];
  for (let n = 0; writtenAtMs === Infinity && n < 1500; n++) {
    writes.push(write(n));
    await pause(20);
  }
  await promoted;
  await deadline("every write", Promise.all(writes), 15_000);
  const tookMs = writtenAtMs - doneAtMs;
  assert(tookMs < RECOVERY_MS, `a write ${tookMs} ms after the failover`);
  const failed = outcomes.filter((outcome) => outcome !== "applied");
  assertEquals(failed, [], "10 s are enough for it");

  await waitUntil("the change that had no event", () => seenAtMs.has("silent"));
  const lateMs = seenAtMs.get("silent")! - doneAtMs;
  await waitUntil("an event of the new master", async () => {
    // What the old master still accepts after a planned failover is lost.
    await other.put(key, "after", HOUR);
    return seenAtMs.has("after");
  }, { everyMs: 50 });
  await following;
  console.log("ms:", { tookMs, lateMs, writes: writes.length });
  assert(lateMs < RECOVERY_MS, `the watch was ${lateMs} ms late`);
}

/** Where a backend comes from. */
type Kind = "owned" | "borrowed";

/** Opens two backends of a kind, which the stack closes. */
async function openTwo(
  kind: Kind,
  stack: AsyncDisposableStack,
  open: (
    options: RedisBackendOptions,
  ) => Promise<RedisBackend>,
  borrow: () => Promise<
    RedisClientLike & { destroy(): unknown }
  >,
): Promise<[RedisBackend, RedisBackend]> {
  const one = async () => {
    if (kind === "owned") return stack.use(await open({}));
    const client = await borrow();
    stack.defer(async () => {
      await client.destroy();
    });
    return stack.use(new RedisBackend(client));
  };
  return [await one(), await one()];
}

for (const kind of ["owned", "borrowed"] as const) {
  for (const how of ["killed", "asked"] as const) {
    serversTest(
      `sentinel_${kind}_goes_on_after_its_master_is_${how}_to_leave`,
      async (stack) => {
        const { master, replica, sentinel } = stack.use(
          await startSentinelGroup(),
        );
        const options = {
          name: "main",
          sentinelRootNodes: [{ host: "127.0.0.1", port: sentinel.port }],
        };
        const [backend, other] = await openTwo(
          kind,
          stack,
          (more) => RedisBackend.connect(options, more),
          async () => {
            const client = createSentinel({
              ...options,
              maxCommandRediscovers: 0,
              scanInterval: 1000,
            });
            client.on("error", () => {});
            await client.connect();
            return client as never;
          },
        );
        const begin = how === "killed"
          ? () => master.kill()
          : () => command(sentinel, ["SENTINEL", "FAILOVER", "main"]);
        await goThrough({
          ...{ backend, other, owner: "alice" },
          ...{ master, replica, begin },
          isDone: async () => {
            const ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"];
            const [, port] = await command(sentinel, ask) as string[];
            return Number(port) === replica.port;
          },
        });
      },
    );
  }
}

for (const kind of ["owned", "borrowed"] as const) {
  for (const how of ["killed", "asked"] as const) {
    serversTest(
      `cluster_${kind}_goes_on_after_a_master_is_${how}_to_leave`,
      async (stack) => {
        const { servers } = stack.use(await startCluster());
        const master = servers[0]!;
        const replica = stack.use(await startClusterReplica(master));
        const rootNodes = servers.map(({ url }) => ({ url }));
        const [backend, other] = await openTwo(
          kind,
          stack,
          (more) => RedisBackend.connect({ rootNodes }, more),
          async () => {
            const client = createCluster({
              rootNodes,
              topologyRefreshOnReconnectionAttemptStrategy: 500,
            });
            client.on("error", () => {});
            await client.connect();
            return client as never;
          },
        );
        const owner = await ownerOn(master);
        const begin = how === "killed"
          ? () => master.kill()
          : () => command(replica, ["CLUSTER", "FAILOVER"]);
        await goThrough({
          ...{ backend, other, owner },
          ...{ master, replica, begin },
          isDone: async () => {
            const role = await command(replica, ["ROLE"]) as string[];
            const info = await command(servers[1]!, ["CLUSTER", "INFO"]);
            return role[0] === "master" && String(info).includes("state:ok");
          },
        });
      },
    );
  }
}

/** Starts a replica of a node of a Cluster. */
async function startClusterReplica(master: RedisServer): Promise<RedisServer> {
  const replica = await startRedisServer({
    args: ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"],
  });
  await command(replica, ["CONFIG", "SET", "cluster-announce-ip", "127.0.0.1"]);
  const meet = ["CLUSTER", "MEET", "127.0.0.1", `${master.port}`];
  await command(replica, meet);
  const id = String(await command(master, ["CLUSTER", "MYID"]));
  await waitUntil("the replica", async () => {
    try {
      return await command(replica, ["CLUSTER", "REPLICATE", id]) === "OK";
    } catch {
      // It does not know the master yet.
      return false;
    }
  }, { everyMs: 50 });
  await waitForReplica(master);
  await ask(replica, ["CLUSTER", "INFO"], (info) => info.includes("state:ok"));
  return replica;
}

/** An owner whose keys are on a node of a Cluster. */
async function ownerOn(server: RedisServer): Promise<string> {
  for (let n = 0;; n++) {
    try {
      await command(server, ["EXISTS", `{o${n}}`]);
      return `o${n}`;
    } catch {
      // Of another node.
    }
  }
}
