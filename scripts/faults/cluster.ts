/**
 * A Cluster of three shards, each with replicas from the first write on, whose
 * slots move while it is written to.
 */

import { RedisBackend } from "../../src/redis/redis_backend.ts";
import { type RedisServer, startRedisServer } from "../lib/redis_server.ts";
import { isWholeHistory, readAof } from "./aof.ts";
import type { Random } from "./random.ts";
import { command, commonFaults, pause, until } from "./server_faults.ts";
import {
  historiesOfOwners,
  moveSlot,
  type OwnerSlot,
  type SlotMove,
} from "./slots.ts";
import { persistentIn, type Topology } from "./topology.ts";
import { UnplannedFailover } from "./unplanned_failover.ts";

const SHARDS = 3;
const REPLICAS = 2;

interface Node {
  readonly server: RedisServer;
  readonly dir: string;
  id: string;
  alive: boolean;
}

/** A master and its replicas. */
interface Shard {
  readonly nodes: Node[];
  master: Node;
  /** Files of masters that were killed. */
  readonly lostDirs: string[];
}

/** Starts it. */
export async function startCluster(
  prefix: string,
  owners: readonly string[],
): Promise<Topology> {
  await using stack = new AsyncDisposableStack();
  const start = async (): Promise<Node> => {
    const dir = await Deno.makeTempDir({ prefix: "mcp-faults-" });
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    const args = [
      ...persistentIn(dir),
      ...["--cluster-enabled", "yes"],
      ...["--cluster-node-timeout", "1500"],
      ...["--cluster-announce-ip", "127.0.0.1"],
      // Replicas stay where they are: their files are their shard's.
      ...["--cluster-allow-replica-migration", "no"],
      ...["--cluster-require-full-coverage", "no"],
    ];
    const server = stack.use(await startRedisServer({ args }));
    const [id] = await command(server.port, ["CLUSTER", "MYID"]);
    return { server, dir, id: String(id), alive: true };
  };
  const shards: Shard[] = [];
  for (let i = 0; i < SHARDS; i++) {
    const nodes: Node[] = [];
    for (let n = 0; n <= REPLICAS; n++) nodes.push(await start());
    shards.push({ nodes, master: nodes[0]!, lostDirs: [] });
  }
  await form(shards);
  const slots = await slotsOf(owners, shards[0]!.master);
  const moves: SlotMove[] = [];

  const requirePlanned = async () => {
    for (const { master } of shards) {
      const [role] = await command(master.server.port, ["ROLE"]);
      if ((role as unknown[])[0] !== "master") throw new UnplannedFailover();
    }
  };
  const move = async (random: Random) => {
    await requirePlanned();
    const { slot, shard } = slots.get(random.pick(owners))!;
    const fromShard = moves.findLast((move) => move.slot === slot)?.toShard ??
      shard;
    const toShard = (fromShard + random.integer(1, SHARDS - 1)) % SHARDS;
    const [from, to] = [shards[fromShard]!.master, shards[toShard]!.master];
    // Noted first: once it has begun, the histories are to be joined.
    moves.push({ slot, toShard });
    try {
      await moveSlot({
        slot,
        owners: owners.filter((owner) => slots.get(owner)!.slot === slot),
        from: from.server.port,
        to: to.server.port,
        fromId: from.id,
        toId: to.id,
        masters: shards.map(({ master }) => master.server.port),
      });
    } catch (error) {
      await requirePlanned();
      throw error;
    }
  };
  const kill = async (random: Random) => {
    await requirePlanned();
    const able = [];
    for (const shard of shards) {
      if ((await heirsOf(shard)).length > 0) able.push(shard);
    }
    // A master that may not be replaced must live until the end.
    if (able.length === 0) return;
    const shard = random.pick(able);
    const old = shard.master;
    old.alive = false;
    shard.lostDirs.push(old.dir);
    await old.server.kill();
    await awaitMaster(shard, old);
    await pause(1500);
    await heirsOf(shard);
  };
  const handOver = async (random: Random) => {
    await requirePlanned();
    const shard = random.pick(shards);
    const old = shard.master;
    const [heir] = await heirsOf(shard);
    if (!heir) return;
    await command(heir.server.port, ["CLUSTER", "FAILOVER"]);
    await awaitMaster(shard, old);
    await pause(500);
    await heirsOf(shard);
  };
  const own = stack.move();
  return {
    faults: [
      ...commonFaults((random) => random.pick(shards).master.server),
      { weight: 2, kind: "kill -9 of a master", isVital: true, run: kill },
      { weight: 3, kind: "CLUSTER FAILOVER", run: handOver },
      { weight: 6, kind: "slot migration", isVital: true, run: move },
    ],
    faultEveryMs: 200,
    get isUsedUp() {
      return shards.every(({ lostDirs }) => lostDirs.length > 0);
    },
    hasFailovers: true,
    open: (network, durable) => {
      // Further options of node-redis are handed on.
      const target = {
        rootNodes: shards.map(({ nodes }) => ({
          url: `redis://127.0.0.1:${network.portOf(nodes[0]!.server.port)}`,
        })),
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
      await requirePlanned();
      const logs = [];
      for (const { master, lostDirs } of shards) {
        const lost = [];
        for (const dir of lostDirs) lost.push(await readAof(dir));
        logs.push({ transactions: await readAof(master.dir), lost });
      }
      return historiesOfOwners(logs, slots, moves);
    },
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}

/** Makes one Cluster of the nodes, in step with each other. */
async function form(shards: readonly Shard[]): Promise<void> {
  const [first] = shards[0]!.nodes;
  for (const [i, { master }] of shards.entries()) {
    await command(master.server.port, [
      ...["CLUSTER", "ADDSLOTSRANGE"],
      `${firstSlot(i)}`,
      `${firstSlot(i + 1) - 1}`,
    ], ["CLUSTER", "SET-CONFIG-EPOCH", `${i + 1}`]);
  }
  const all = shards.flatMap(({ nodes }) => nodes);
  for (const { server } of all) {
    if (server === first!.server) continue;
    const port = `${first!.server.port}`;
    await command(server.port, ["CLUSTER", "MEET", "127.0.0.1", port]);
  }
  for (const { server } of all) {
    await until("the nodes to know each other", async () => {
      const [info] = await command(server.port, ["CLUSTER", "INFO"]);
      return String(info).includes(`cluster_known_nodes:${all.length}`);
    });
  }
  for (const { master, nodes } of shards) {
    for (const { server } of nodes.slice(1)) {
      await until("a replica", async () => {
        await command(server.port, ["CLUSTER", "REPLICATE", master.id]);
        return true;
      });
    }
    await until("the replicas in step", async () => {
      const [info] = await command(master.server.port, ["INFO", "replication"]);
      return String(info).split("state=online").length === REPLICAS + 1;
    });
  }
  for (const { server } of all) {
    await until("the Cluster", async () => {
      const [info] = await command(server.port, ["CLUSTER", "INFO"]);
      return String(info).includes("cluster_state:ok") &&
        String(info).includes(`cluster_size:${SHARDS}`);
    });
  }
}

/** Replicas that may become masters; the others are told not to. */
async function heirsOf({ nodes, master }: Shard): Promise<Node[]> {
  const heirs: Node[] = [];
  for (const node of nodes) {
    if (!node.alive || node === master) continue;
    if (await isWholeHistory(node.dir).catch(() => false)) heirs.push(node);
    else {
      await command(node.server.port, [
        ...["CONFIG", "SET", "cluster-replica-no-failover", "yes"],
      ]);
    }
  }
  return heirs;
}

/** Waits for another master of a shard. */
async function awaitMaster(shard: Shard, old: Node): Promise<void> {
  await until("another master", async () => {
    for (const node of shard.nodes) {
      if (!node.alive || node === old) continue;
      const [role] = await command(node.server.port, ["ROLE"]);
      if ((role as unknown[])[0] === "master") shard.master = node;
    }
    return shard.master !== old;
  });
}

async function slotsOf(
  owners: readonly string[],
  { server }: Node,
): Promise<Map<string, OwnerSlot>> {
  const answers = await command(
    server.port,
    ...owners.map((owner) => ["CLUSTER", "KEYSLOT", `{${owner}}`]),
  );
  return new Map(owners.map((owner, i) => {
    const slot = Number(answers[i]);
    const shards = Array.from({ length: SHARDS }, (_, n) => n);
    const shard = shards.findLast((n) => firstSlot(n) <= slot)!;
    return [owner, { slot, shard }];
  }));
}

/** The first slot of a shard at the start. */
function firstSlot(shard: number): number {
  return Math.floor(shard * 16384 / SHARDS);
}
