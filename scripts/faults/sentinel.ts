/**
 * A master, its replicas and a Sentinel. A master that was killed or replaced
 * never comes back as one: so every new master has been a replica from the
 * first write on, and its file holds all that has survived.
 */

import { RedisBackend } from "../../src/redis/redis_backend.ts";
import { type RedisServer, startRedisServer } from "../lib/redis_server.ts";
import { isWholeHistory, readAof } from "./aof.ts";
import { command, commonFaults, pause, until } from "./server_faults.ts";
import {
  branchOf,
  type LostHistory,
  persistentIn,
  type TimeSpan,
  type Topology,
} from "./topology.ts";
import { UnplannedFailover } from "./unplanned_failover.ts";

/** Replicas at the start: one is left after the last failover. */
const REPLICAS = 4;

interface Node {
  readonly server: RedisServer;
  readonly dir: string;
}

/** Starts them. */
export async function startSentinel(prefix: string): Promise<Topology> {
  await using stack = new AsyncDisposableStack();
  const nodes: Node[] = [];
  for (let i = 0; i <= REPLICAS; i++) {
    const dir = await Deno.makeTempDir({ prefix: "mcp-faults-" });
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    const master = nodes[0]?.server.port;
    const replicaof = master === undefined
      ? []
      : ["--replicaof", "127.0.0.1", `${master}`];
    const server = stack.use(
      await startRedisServer({ args: [...persistentIn(dir), ...replicaof] }),
    );
    nodes.push({ server, dir });
  }
  const first = nodes[0]!.server.port;
  const sentinel = stack.use(
    await startRedisServer({
      sentinel: [
        `sentinel monitor main 127.0.0.1 ${first} 1`,
        "sentinel down-after-milliseconds main 1000",
        "sentinel failover-timeout main 5000",
        `sentinel parallel-syncs main ${REPLICAS}`,
      ],
    }),
  );
  await until("the replicas in step", async () => {
    const [info] = await command(first, ["INFO", "replication"]);
    return String(info).split("state=online").length === REPLICAS + 1;
  });
  await until("the Sentinel", async () => {
    const [info] = await command(sentinel.port, ["INFO", "sentinel"]);
    return String(info).includes(`slaves=${REPLICAS}`);
  });

  let master = nodes[0]!;
  /** Files of masters that are none any more. */
  const lostDirs: { dir: string; losesConfirmed?: boolean }[] = [];
  const failovers: TimeSpan[] = [];
  const dead = new Set<RedisServer>();
  let heirs = REPLICAS;
  let isLastFailover = false;
  const askForMaster = async (): Promise<Node> => {
    const [address] = await command(sentinel.port, [
      ...["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"],
    ]);
    const port = Number((address as string[])[1]);
    return nodes.find(({ server }) => server.port === port)!;
  };
  const awaitFailover = async () => {
    const old = master;
    const fromMs = Date.now();
    await until("the failover", async () => {
      master = await askForMaster();
      return master !== old;
    });
    // What clients do right after a failover is what the round is for.
    await pause(2000);
    failovers.push({ fromMs, toMs: Date.now() });
    heirs = await wholeReplicas();
  };
  /** Replicas that may still become masters; the others are told not to. */
  const wholeReplicas = async (): Promise<number> => {
    let count = 0;
    for (const { server, dir } of nodes) {
      if (server === master.server || dead.has(server)) continue;
      if (await isWholeHistory(dir).catch(() => false)) count++;
      else {
        await command(server.port, [
          ...["CONFIG", "SET", "replica-priority", "0"],
        ]);
      }
    }
    return count;
  };
  const own = stack.move();
  return {
    faults: [
      ...commonFaults(() => master.server),
      {
        weight: 5,
        kind: "kill -9 of the master",
        run: async () => {
          lostDirs.push({ dir: master.dir });
          dead.add(master.server);
          await master.server.kill();
          await awaitFailover();
        },
      },
      {
        weight: 1,
        kind: "SENTINEL FAILOVER",
        run: async () => {
          const { dir, server } = master;
          // All others have been ahead of the new master, and are filled again.
          isLastFailover = true;
          // It becomes a replica and throws its file away: a second name of it
          // keeps what it wrote meanwhile.
          // Replicas go on confirming what the new master never gets.
          const copy = await linkFiles(dir, own);
          lostDirs.push({ dir: copy, losesConfirmed: true });
          await command(server.port, [
            ...["CONFIG", "SET", "replica-priority", "0"],
          ]);
          await command(sentinel.port, ["SENTINEL", "FAILOVER", "main"]);
          await awaitFailover();
        },
      },
    ],
    faultEveryMs: 1500,
    get isUsedUp() {
      return failovers.length > 0 && (isLastFailover || heirs < 2);
    },
    hasFailovers: true,
    open: (network, durable) => {
      // Further options of node-redis are handed on.
      const target = {
        name: "main",
        sentinelRootNodes: [{ host: "127.0.0.1", port: sentinel.port }],
        // Where addresses are mapped, each scan of node-redis takes the master
        // for another and opens its connections again. The Sentinel notifies it of failovers.
        scanInterval: 3_600_000,
        nodeAddressMap: (address: string) => ({
          host: "127.0.0.1",
          port: network.portOf(Number(address.split(":").at(-1))),
        }),
      };
      return RedisBackend.connect(target, {
        prefix,
        ...(durable ? { durability: { replicas: 1, timeoutMs: 2000 } } : {}),
      });
    },
    histories: async () => {
      if (await askForMaster() !== master) throw new UnplannedFailover();
      const transactions = await readAof(master.dir);
      const lost: LostHistory[] = [];
      for (const { dir, ...rest } of lostDirs) {
        const old = await readAof(dir);
        const branch = branchOf(transactions, transactions, old);
        if (branch) lost.push({ ...branch, ...rest });
      }
      return [{ transactions, lost, isOneClock: true, failovers }];
    },
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}

/** Gives the append-only files of a server second names in a folder. */
async function linkFiles(
  dir: string,
  stack: AsyncDisposableStack,
): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "mcp-faults-" });
  stack.defer(() => Deno.remove(copy, { recursive: true }));
  await Deno.mkdir(`${copy}/appendonlydir`);
  for await (const { name } of Deno.readDir(`${dir}/appendonlydir`)) {
    const paths = [dir, copy].map((at) => `${at}/appendonlydir/${name}`);
    // A manifest is replaced by a new file, so that the old one stays as it is.
    await Deno.link(paths[0]!, paths[1]!);
  }
  return copy;
}
