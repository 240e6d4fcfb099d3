/**
 * What is left after a backend is closed, or its borrowed client was: nothing,
 * and every call that was under way has its true end.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  createClient,
  createClientPool,
  createCluster,
  createSentinel,
} from "redis";
import { BackendError, RedisBackend, type RedisClientLike } from "../../mod.ts";
import {
  type RedisServer,
  startRedisServer,
} from "../../scripts/lib/redis_server.ts";
import { EventHub } from "../../src/redis/events.ts";
import { borrowLink } from "../../src/redis/link.ts";
import { TaskStore } from "../../src/task/task_store.ts";
import { everyOperation } from "../support/every_operation.ts";
import { whileFrozen } from "../support/frozen.ts";
import { processesEnabled } from "../support/gate.ts";
import { serversTest, serverTest } from "../support/own_server.ts";
import { TcpProxy } from "../support/proxy.ts";
import { openRaw, type RawClient } from "../support/redis_fixture.ts";
import { HOUR, KEY } from "../support/suite/env.ts";
import {
  command,
  startCluster,
  startSentinelGroup,
} from "../support/topology.ts";
import { deadline, waitUntil } from "../support/wait.ts";

interface Emitter {
  eventNames(): (string | symbol)[];
  listenerCount(event: string | symbol): number;
}

/** How many listeners each event of an emitter has. */
function listenersOf(emitter: Emitter): Record<string, number> {
  return Object.fromEntries(
    emitter.eventNames().toSorted().map((name) => [
      String(name),
      emitter.listenerCount(name),
    ]),
  );
}

/** Every connection of a server but those of Sentinels, replicas and ours. */
async function clientsOf(server: RedisServer): Promise<string[]> {
  const list = String(await command(server, ["CLIENT", "LIST"]));
  return list.split("\n").filter((line) =>
    line.startsWith("id=") &&
    !/ name=sentinel-| flags=[MS] |cmd=client\|list /.test(line)
  ).map((line) => / name=(\S*)/.exec(line)![1]!);
}

/** The heap after everything that is not used any more was collected. */
function heapBytes(): number {
  setFlagsFromString("--expose_gc");
  runInNewContext("gc")();
  return Deno.memoryUsage().heapUsed;
}

/** Uses all of a backend, watches included, closes it and looks around. */
async function leavesNothing(
  client: RedisClientLike & Emitter,
  servers: readonly RedisServer[],
): Promise<void> {
  client.on("error", () => {});
  const before = listenersOf(client);
  const clients = await Promise.all(servers.map(clientsOf));
  for (let round = 0; round < 2; round++) {
    const backend = new RedisBackend(client, {
      prefix: `round-${round}`,
      onWarning: () => {},
    });
    for (const owner of ["alice", "bob", "carol", "dave"]) {
      await everyOperation(backend, owner);
    }
    await backend.put(KEY, "x", HOUR);
    // One watch and one wait are under way when it is closed.
    const watch = backend.watch(KEY)[Symbol.asyncIterator]();
    await watch.next();
    const step = assertRejects(() => watch.next(), BackendError, "closed");
    const store = new TaskStore(backend);
    const { task: { taskId } } = await store.create("alice", "tools/call");
    const waiting = assertRejects(() =>
      store.waitFor(taskId, "alice", { final: true })
    );
    await waitUntil(
      "both subscribed",
      async () => (await channelsOf(servers)).length === 2,
    );
    await backend.close();
    await Promise.all([step, waiting]);
    assertEquals(listenersOf(client), before);
    await waitUntil(
      "no subscription",
      async () => (await channelsOf(servers)).length === 0,
    );
    for (const [i, server] of servers.entries()) {
      await waitUntil(
        "no connection of ours",
        async () => (await clientsOf(server)).length === clients[i]!.length,
      );
    }
  }
  assert((client as { isOpen?: boolean }).isOpen);
}

async function channelsOf(servers: readonly RedisServer[]): Promise<string[]> {
  const lists = await Promise.all(
    servers.map((server) => command(server, ["PUBSUB", "SHARDCHANNELS"])),
  );
  return lists.flat() as string[];
}

serverTest("a_closed_backend_leaves_nothing_on_a_client", async (server) => {
  const client = await createClient({ url: server.url, name: "theirs" })
    .connect();
  await leavesNothing(client as never, [server]);
  client.destroy();
});

serverTest("a_closed_backend_leaves_nothing_on_a_pool", async (server) => {
  // Members come and go: as many as are used at once.
  const pool = createClientPool({ url: server.url, name: "theirs" }, {
    minimum: 1,
    maximum: 1,
  });
  await pool.connect();
  await leavesNothing(pool as never, [server]);
  await pool.close();
});

serversTest("a_closed_backend_leaves_nothing_on_a_cluster", async (stack) => {
  const { servers } = stack.use(await startCluster());
  const cluster = await createCluster({
    rootNodes: servers.map(({ url }) => ({ url })),
  }).connect();
  // Connections to nodes are made by their first command.
  for (const owner of ["alice", "bob", "carol", "dave"]) {
    await cluster.exists(`{${owner}}`);
  }
  await leavesNothing(cluster as never, servers);
  await cluster.close();
});

serversTest("a_closed_backend_leaves_nothing_on_a_sentinel", async (stack) => {
  const { master, sentinel: watcher } = stack.use(await startSentinelGroup());
  const sentinel = createSentinel({
    name: "main",
    sentinelRootNodes: [{ host: "127.0.0.1", port: watcher.port }],
  });
  sentinel.on("error", () => {});
  await sentinel.connect();
  await leavesNothing(sentinel as never, [master]);
  await sentinel.close();
});

serverTest(
  "ten_thousand_subscriptions_that_fail_leave_nothing",
  async (server, raw) => {
    const rights = ["on", ">secret", "~*", "resetchannels", "+@all"];
    await raw.sendCommand(["ACL", "SETUSER", "u", ...rights]);
    const client = await createClient({
      url: server.url,
      username: "u",
      password: "secret",
    }).connect();
    const link = borrowLink(client, () => {});
    const hub = new EventHub({
      open: () => link.openSubscriber(),
      timeoutMs: 10_000,
    });
    const fail = async (count: number) => {
      for (let n = 0; n < count; n++) {
        const { ready, end } = hub.subscribe(`c${n}`, () => {}, () => {});
        await assertRejects(() => ready!, BackendError, "NOPERM");
        end();
      }
    };
    try {
      await fail(1000);
      const before = heapBytes();
      await fail(10_000);
      const grownBytes = heapBytes() - before;
      assertEquals(hub.size, 0);
      // 0.1.0 kept 570 bytes of each: 5.7 MB.
      assert(grownBytes < 1e6, `the heap has grown by ${grownBytes} bytes`);
    } finally {
      await hub.close();
      await link.close();
      client.destroy();
    }
  },
);

Deno.test({
  name: "redis_a_borrowed_client_that_is_closed_first_keeps_no_process_alive",
  ignore: !processesEnabled,
  async fn() {
    await using server = await startRedisServer();
    const program = new URL("./closed_first.ts", import.meta.url).href;
    const args = ["run", "--quiet", "--no-lock", "-A", program, server.url];
    const child = new Deno.Command(Deno.execPath(), {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    try {
      const { code, stdout, stderr } = await deadline(
        "the end of the process",
        output,
        20_000,
      );
      const printed = new TextDecoder().decode(stdout);
      assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
      const endedMs = /closed at (\d+)\n.*ended at (\d+)/s.exec(printed);
      if (!endedMs) throw new Error(printed);
      const tookMs = Number(endedMs[2]) - Number(endedMs[1]);
      assert(tookMs < 1500, `ran on for ${tookMs} ms`);
      assert(printed.includes("watch: BackendError"), printed);
    } finally {
      try {
        child.kill("SIGKILL");
      } catch {
        // Ended.
      }
    }
  },
});

serverTest(
  "a_write_whose_answer_is_owed_at_close_is_unknown",
  async (server, raw) => {
    await using proxy = new TcpProxy(server.url);
    for (const kind of ["owned", "borrowed"] as const) {
      const key = `alice:${kind}`;
      const client = await openRaw(proxy.url);
      const backend = kind === "owned"
        ? await RedisBackend.connect(proxy.url)
        : new RedisBackend(client);
      await backend.put(key, "1", HOUR);
      const done = Promise.withResolvers<void>();
      // Executed, and its answer does not come.
      proxy.cutNext("before reply", () => done.promise);
      const write = assertRejects(
        () => backend.putIfVersion(key, "2", 1, HOUR),
        BackendError,
      );
      const version = () => raw.hGet(`mcp:tasks:{alice}:${kind}`, "version");
      try {
        await waitUntil("it is executed", async () => await version() === "2");
        const start = performance.now();
        await deadline("the close", backend.close(), 5000);
        const error = await write;
        assert(performance.now() - start < 4000);
        assertEquals(error.outcome, "unknown", `${kind}: ${error.message}`);
      } finally {
        done.resolve();
      }
      client.destroy();
    }
  },
);

serverTest(
  "closing_on_a_borrowed_client_waits_for_answers_that_come",
  async (_server, raw) => {
    const backend = new RedisBackend(raw);
    const writes = Array.from(
      { length: 50 },
      (_, n) => backend.put(`alice:t-${n}`, "x", HOUR),
    );
    await backend.close();
    assertEquals(await Promise.all(writes), Array(50).fill(1));
  },
);

serverTest(
  "closing_with_a_server_that_does_not_answer_is_quick",
  async (server, raw: RawClient) => {
    const owned = await RedisBackend.connect(server.url);
    const borrowed = new RedisBackend(raw);
    for (const backend of [owned, borrowed]) {
      await backend.put(KEY, "x", HOUR);
      const watch = backend.watch(KEY)[Symbol.asyncIterator]();
      await watch.next();
      watch.next().catch(() => {});
    }
    await whileFrozen(server, async () => {
      const calls = [owned, borrowed].map((backend) =>
        assertRejects(() => backend.get(KEY), BackendError)
      );
      const start = performance.now();
      await Promise.all([owned.close(), borrowed.close(), ...calls]);
      const tookMs = performance.now() - start;
      assert(tookMs < 4000, `closing took ${tookMs} ms`);
    });
  },
);
