/**
 * Links over every kind of client: what they send, what they tell, and what is
 * left when they are closed.
 *
 * @module
 */

import { EventEmitter } from "node:events";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  createClient,
  createClientPool,
  createCluster,
  createSentinel,
  RESP_TYPES,
} from "redis";
import {
  type RedisServer,
  startRedisServer,
} from "../../scripts/lib/redis_server.ts";
import type { PoolClient } from "../../src/redis/client_like.ts";
import { PoolLink } from "../../src/redis/client_link.ts";
import { connectLink } from "../../src/redis/connect.ts";
import type { RedisConnectOptions } from "../../src/redis/connect_options.ts";
import { borrowLink } from "../../src/redis/link.ts";
import type { RedisLink } from "../../src/redis/link_types.ts";
import { isClosedClient, isSurelyUnsent } from "../../src/redis/send_errors.ts";
import { RedisBackend } from "../../src/redis/redis_backend.ts";
import { BackendError } from "../../src/storage/errors.ts";
import { ownServerEnabled } from "../support/gate.ts";
import { TcpProxy } from "../support/proxy.ts";
import {
  command,
  startCluster,
  startSentinelGroup,
} from "../support/topology.ts";
import { deadline, pause, waitUntil } from "../support/wait.ts";

/** Registers a test that starts servers of its own. */
function linkTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `redis_link: ${name}`, ignore: !ownServerEnabled, fn });
}

/** Opens a link; its warnings fail the test. */
function connect(target: RedisConnectOptions): Promise<RedisLink> {
  return connectLink(target, { onWarning: fail });
}

function fail(message: string): never {
  throw new Error(`warned: ${message}`);
}

const KEYS = ["{a}", "{b}", "{c}", "{d}", "{e}", "{f}"];

/** Sends commands of every kind of answer, and hears an event. */
async function exercise(link: RedisLink): Promise<void> {
  for (const key of KEYS) {
    const send = (...args: string[]) => link.send(key, false, args);
    assertEquals(await send("HSET", key, "f", "é"), 1);
    assertEquals(await send("HMGET", key, "f", "g"), ["é", null]);
    assertEquals(await send("HGETALL", key), ["f", "é"]);
    assertEquals(await send("ZADD", `z${key}`, "1.5", "m"), 1);
    assertEquals(await send("ZSCORE", `z${key}`, "m"), "1.5");
    assertEquals(
      await send(
        "EVAL",
        "return {1, 'a', {false, redis.status_reply('OK')}}",
        "1",
        key,
      ),
      [1, "a", [null, "OK"]],
    );
    await assertRejects(() => send("LPUSH", key, "x"), Error, "WRONGTYPE");
    assertEquals(await link.send(key, true, ["HMGET", key, "f"]), ["é"]);
  }
  assert(link.isReady);
  const subscriber = await link.openSubscriber();
  const heard: string[] = [];
  const listeners = KEYS.map((key) => (message: string) => {
    heard.push(`${key} ${message}`);
  });
  await Promise.all(
    KEYS.map((key, i) => subscriber.sSubscribe(key, listeners[i]!)),
  );
  for (const key of KEYS) await link.send(key, false, ["SPUBLISH", key, "1"]);
  await waitUntil("all events", () => heard.length === KEYS.length);
  assertEquals(heard.toSorted(), KEYS.map((key) => `${key} 1`));
  await subscriber.sUnsubscribe(KEYS[0]!, listeners[0]!);
  assertEquals(
    await link.send(KEYS[0]!, false, ["SPUBLISH", KEYS[0]!, "2"]),
    0,
  );
}

linkTest("serves a client of ours, in either protocol", async () => {
  await using server = await startRedisServer();
  for (const RESP of [2, 3] as const) {
    const link = await connect({ url: server.url, RESP });
    await exercise(link);
    await command(server, ["FLUSHALL"]);
    await link.close();
  }
  const link = await connect(new URL(server.url));
  assertEquals(await link.send("", false, ["PING"]), "PONG");
  await link.close();
});

linkTest(
  "serves a borrowed client whatever its type mapping, and leaves nothing on it",
  async () => {
    await using server = await startRedisServer();
    const client = createClient({
      url: server.url,
      commandOptions: {
        typeMapping: {
          [RESP_TYPES.BLOB_STRING]: Uint8Array as never,
          [RESP_TYPES.NUMBER]: String,
          [RESP_TYPES.MAP]: Map,
        },
      },
    });
    await client.connect();
    const before = listenersOf(client);
    const link = borrowLink(client, fail);
    await exercise(link);
    await link.close();
    assertEquals(listenersOf(client), before);
    assert(client.isReady && !client.isPubSubActive);
    await waitForClients(server, 1);
    await client.close();
  },
);

linkTest("serves a borrowed pool", async () => {
  await using server = await startRedisServer();
  const pool = createClientPool({ url: server.url }, { minimum: 1 });
  await pool.connect();
  const before = listenersOf(pool);
  const link = borrowLink(pool, fail);
  await exercise(link);
  await link.close();
  assertEquals(listenersOf(pool), before);
  await waitForClients(server, 1);
  await pool.close();
});

linkTest("serves a Cluster, ours and borrowed", async () => {
  await using nodes = await startCluster();
  const rootNodes = nodes.servers.map(({ url }) => ({ url }));
  const owned = await connect({ rootNodes });
  await exercise(owned);
  await owned.close();
  for (const server of nodes.servers) {
    await command(server, ["FLUSHALL"]);
    await waitForClients(server, 0);
  }
  const cluster = await createCluster({ rootNodes }).connect();
  const before = listenersOf(cluster);
  const link = borrowLink(cluster, fail);
  await exercise(link);
  await link.close();
  assertEquals(listenersOf(cluster), before);
  for (const server of nodes.servers) await waitForClients(server, 1);
  await cluster.close();
});

linkTest(
  "serves the master of Sentinels, ours and borrowed, and follows a failover",
  async () => {
    await using group = await startSentinelGroup();
    const options = {
      name: "main",
      sentinelRootNodes: [{ host: "127.0.0.1", port: group.sentinel.port }],
    };
    const sentinel = createSentinel({ ...options, maxCommandRediscovers: 0 });
    sentinel.on("error", () => {});
    await sentinel.connect();
    const before = listenersOf(sentinel);
    const borrowed = borrowLink(sentinel, fail);
    await exercise(borrowed);
    await borrowed.close();
    assertEquals(listenersOf(sentinel), before);
    await sentinel.close();
    await command(group.master, ["FLUSHALL"]);

    const link = await connect(options);
    await exercise(link);
    const subscriber = await link.openSubscriber();
    const heard: string[] = [];
    await subscriber.sSubscribe("{a}", (message) => heard.push(message));
    let resets = 0;
    subscriber.onReset(() => resets++);
    let readies = 0;
    link.onReady(() => readies++);
    await group.master.kill();
    await waitUntil("the failover", async () => {
      // The Sentinel ends connections to a server that it makes master.
      const role = await command(group.replica, ["ROLE"]).catch(() => []);
      return (role as string[])[0] === "master";
    }, { deadlineMs: 30_000, everyMs: 50 });
    const start = performance.now();
    await waitUntil("a write on the new master", async () => {
      try {
        return await link.send("x", false, ["HSET", "x", "f", "1"]) !==
          undefined;
      } catch (error) {
        assert(isSurelyUnsent(error) || error instanceof Error);
        return false;
      }
    }, { deadlineMs: 20_000, everyMs: 10 });
    const tookMs = performance.now() - start;
    assert(tookMs < 2000, `a write after the failover took ${tookMs} ms`);
    await waitUntil("the subscription restored", () => resets > 0);
    assert(readies > 0);
    await waitUntil("an event of the new master", async () => {
      await link.send("{a}", false, ["SPUBLISH", "{a}", "after"])
        .catch(() => {});
      return heard.includes("after");
    });
    await link.close();
    await waitForClients(group.replica, 0);
  },
);

linkTest(
  "a borrowed sentinel executes commands in the order of the calls",
  async () => {
    await using group = await startSentinelGroup();
    const sentinel = await createSentinel({
      name: "main",
      sentinelRootNodes: [{ host: "127.0.0.1", port: group.sentinel.port }],
      maxCommandRediscovers: 0,
    }).connect();
    const link = borrowLink(sentinel, fail);
    try {
      for (let round = 0; round < 20; round++) {
        const key = `l${round}`;
        const pushed: Promise<unknown>[] = [];
        for (let n = 0; n < 30; n++) {
          pushed.push(link.send(key, false, ["RPUSH", key, `${n}`]));
          // Within one tick, in several microtasks, and over several ticks.
          for (let i = 0; i < n % 5; i++) await undefined;
          if (n % 11 === 10) await pause(0);
        }
        await Promise.all(pushed);
        assertEquals(
          await link.send(key, false, ["LRANGE", key, "0", "-1"]),
          pushed.map((_, n) => `${n}`),
        );
      }
      // Nothing of ours keeps the loan: it is there for its owner.
      await deadline("a loan", sentinel.use((client) => client.ping()));
    } finally {
      await link.close();
      await sentinel.close();
    }
  },
);

linkTest(
  "a borrowed sentinel that sends again is warned of, and sends nothing of ours again",
  async () => {
    await using group = await startSentinelGroup();
    await using proxy = new TcpProxy(group.master.url);
    const sentinel = createSentinel({
      name: "main",
      sentinelRootNodes: [{ host: "127.0.0.1", port: group.sentinel.port }],
      nodeAddressMap: {
        [`127.0.0.1:${group.master.port}`]: {
          host: "127.0.0.1",
          port: Number(new URL(proxy.url).port),
        },
      },
    });
    sentinel.on("error", () => {});
    await sentinel.connect();
    const warnings: string[] = [];
    const link = borrowLink(sentinel, (message) => warnings.push(message));
    assertEquals(warnings.length, 1);
    assert(warnings[0]!.includes("maxCommandRediscovers: 0"), warnings[0]);
    proxy.fault = (request) => {
      if (!request.includes("INCR")) return undefined;
      proxy.fault = () => undefined;
      return { cut: "before reply" };
    };
    const lost = await assertRejects(() =>
      link.send("n", false, ["INCR", "n"])
    );
    assert(!isSurelyUnsent(lost), `${lost}`);
    let count: unknown;
    await waitUntil("the connection again", async () => {
      try {
        count = await link.send("n", false, ["INCR", "n"]);
        return true;
      } catch (error) {
        assert(isSurelyUnsent(error), `${error}`);
        return false;
      }
    });
    assertEquals(count, 2);
    await sentinel.close();
    const closed = await assertRejects(() => link.send("n", false, ["PING"]));
    assert(isClosedClient(closed) && isSurelyUnsent(closed), `${closed}`);
    await link.close();
  },
);

linkTest("reads from masters, whatever a Cluster's client does", async () => {
  await using nodes = await startCluster();
  const cluster = await createCluster({
    rootNodes: nodes.servers.map(({ url }) => ({ url })),
    useReplicas: true,
  }).connect();
  const asked: boolean[] = [];
  const original = cluster._slots.getClientAndSlotNumber.bind(cluster._slots);
  cluster._slots.getClientAndSlotNumber = (key, readonly) => {
    asked.push(readonly === true);
    return original(key, readonly);
  };
  const link = borrowLink(cluster, fail);
  await link.send("k", true, ["HMGET", "k", "f"]);
  assertEquals(asked, [false]);
  await link.close();
  await cluster.close();
});

linkTest("warns of a keyPrefix, which it does not use", async () => {
  await using server = await startRedisServer();
  const client = await createClient({ url: server.url, keyPrefix: "app:" })
    .connect();
  const warnings: string[] = [];
  const link = borrowLink(client, (message) => warnings.push(message));
  assert(warnings[0]?.includes("keyPrefix"));
  await link.close();
  client.destroy();
});

linkTest(
  "warns of a server that evicts, and not of one that does not",
  async () => {
    for (
      const [policy, memory, expected] of [
        ["allkeys-lru", "64mb", 1],
        ["volatile-ttl", "64mb", 1],
        ["allkeys-lru", "0", 0],
        ["noeviction", "64mb", 0],
      ] as const
    ) {
      await using server = await startRedisServer({
        args: ["--maxmemory", memory, "--maxmemory-policy", policy],
      });
      const warnings: string[] = [];
      const link = await connectLink(server.url, {
        onWarning: (message) => warnings.push(message),
      });
      await link.close();
      assertEquals(warnings.length, expected, `${policy} ${memory}`);
      if (expected) assert(warnings[0]!.includes(policy));
    }
  },
);

linkTest("refuses a server that is too old, naming its version", async () => {
  await using server = await startRedisServer();
  await using proxy = new TcpProxy(server.url);
  proxy.rewriteReply = (bytes) => {
    const text = new TextDecoder("latin1").decode(bytes)
      // As long as before: the length was announced.
      .replace(/redis_version:\d/, "redis_version:6")
      .replace(/valkey_version:\d/, "valkey_version:6");
    return Uint8Array.from(text, (char) => char.charCodeAt(0));
  };
  const error = await assertRejects(
    () => connect(proxy.url),
    BackendError,
    "is too old: expected Redis >= 7.0 or Valkey >= 7.2",
  );
  assert(/ 6\.\d+\.\d+ at 127/.test(error.message), error.message);
  await waitForClients(server, 0);
});

linkTest(
  "refuses a Sentinel, and a node of a Cluster, given by a URL",
  async () => {
    await using master = await startRedisServer();
    await using sentinel = await startRedisServer({
      sentinel: [`sentinel monitor main 127.0.0.1 ${master.port} 1`],
    });
    await using node = await startRedisServer({
      args: ["--cluster-enabled", "yes"],
    });
    await assertRejects(
      () => connect(sentinel.url),
      BackendError,
      `${sentinel.port} is a Sentinel: expected { sentinelRootNodes, name }`,
    );
    await assertRejects(
      () => connect(node.url),
      BackendError,
      `${node.port} is a node of a Cluster: expected { rootNodes }`,
    );
    for (const server of [sentinel, node]) await waitForClients(server, 0);
  },
);

linkTest(
  "refuses durability to a user who may not WAIT, and says so",
  async () => {
    await using server = await startRedisServer();
    await command(server, [
      ...["ACL", "SETUSER", "tasks", "on", ">pw", "~*", "&*", "+@all", "-wait"],
    ]);
    const url = `redis://tasks:pw@127.0.0.1:${server.port}`;
    const durability = { replicas: 1, timeoutMs: 100 };
    await assertRejects(
      () => RedisBackend.connect(url, { durability }),
      BackendError,
      "refuses WAIT, which durability needs: NOPERM",
    );
    await waitForClients(server, 0);
    // Where the permission is taken away later, each write says so.
    await command(server, ["ACL", "SETUSER", "tasks", "+wait"]);
    await using backend = await RedisBackend.connect(url, { durability });
    await command(server, ["ACL", "SETUSER", "tasks", "-wait"]);
    const error = await assertRejects(
      () => backend.put("alice:t-1", "x"),
      BackendError,
      "0 of 1 replicas confirmed it within 100 ms: NOPERM",
    );
    assertEquals([error.outcome, error.version], ["applied", 1]);
    assert(error.cause instanceof Error);
  },
);

Deno.test("redis_link: lets go of the members of a pool that are gone", async () => {
  const lent: (EventEmitter & { isOpen: boolean })[] = [];
  const pool = Object.assign(new EventEmitter(), {
    isOpen: true,
    isClosing: false,
    withCommandOptions: () => pool,
    execute: (task: (client: unknown) => unknown) => {
      const member = Object.assign(new EventEmitter(), { isOpen: true });
      lent.push(member);
      return Promise.resolve(task(member));
    },
  });
  const link = new PoolLink(pool as unknown as PoolClient);
  for (let i = 0; i < 5; i++) {
    await link.nodeOf("k");
    assertEquals(
      lent.map((member) => member.listenerCount("end")),
      lent.map((_, n) => n === i ? 1 : 0),
    );
    lent[i]!.isOpen = false;
  }
  await link.close();
  assertEquals(lent.at(-1)!.listenerCount("end"), 0);
});

linkTest("connects as a user who may not ask for INFO", async () => {
  await using server = await startRedisServer();
  await command(server, [
    ...["ACL", "SETUSER", "tasks", "on", ">pw", "~*", "&*"],
    ...["+@all", "-info", "-ping"],
  ]);
  const link = await connect(`redis://tasks:pw@127.0.0.1:${server.port}`);
  assertEquals(await link.send("k", false, ["HMGET", "k", "f"]), [null]);
  await link.close();
});

linkTest(
  "fails at once where nothing listens, with the address and not the password",
  async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const host = "127.0.0.1";
    const url = `redis://user:secret@${host}:${port}`;
    for (
      const target of [
        url,
        new URL(url),
        { socket: { host, port }, password: "secret" },
        { rootNodes: [{ url }], defaults: { password: "secret" } },
        {
          name: "main",
          sentinelRootNodes: [{ host, port }],
          nodeClientOptions: { password: "secret" },
        },
      ]
    ) {
      const start = performance.now();
      const error = await assertRejects(() => connect(target), BackendError);
      assert(performance.now() - start < 2000);
      assert(error.message.includes(`${host}:${port}`), error.message);
      assert(error.message.includes("ECONNREFUSED"), error.message);
      for (let at: unknown = error; at instanceof Error; at = at.cause) {
        assert(!`${at.message}${at.stack}`.includes("secret"), at.message);
      }
    }
  },
);

linkTest(
  "fails within the connect timeout where a server accepts and stays silent",
  async () => {
    await using server = await startRedisServer();
    await using proxy = new TcpProxy(server.url);
    proxy.mode = "silent";
    const { hostname, port } = new URL(proxy.url);
    const socket = { connectTimeout: 300 };
    for (
      const target of [
        { url: proxy.url, socket },
        { rootNodes: [{ url: proxy.url }], defaults: { socket } },
        {
          name: "main",
          sentinelRootNodes: [{ host: hostname, port: Number(port) }],
          nodeClientOptions: { socket },
          sentinelClientOptions: { socket: { socketTimeout: 300 } },
        },
      ]
    ) {
      const start = performance.now();
      await assertRejects(() => connect(target), BackendError);
      const tookMs = performance.now() - start;
      assert(tookMs < 1500, `${Object.keys(target)} took ${tookMs} ms`);
    }
    // A root node of a Cluster is given up by its own socket's timeout.
    proxy.cutAll();
  },
);

linkTest(
  "refuses while disconnected, surely unsent, and tells when it is back",
  async () => {
    await using server = await startRedisServer();
    await using proxy = new TcpProxy(server.url);
    const link = await connect(proxy.url);
    try {
      let readies = 0;
      const stop = link.onReady(() => readies++);
      proxy.mode = "down";
      proxy.cutAll();
      await waitUntil("the loss noticed", () => !link.isReady);
      const error = await assertRejects(() => link.send("", false, ["PING"]));
      assert(isSurelyUnsent(error), `${error}`);
      proxy.mode = "up";
      await waitUntil("the connection repaired", () => readies === 1);
      assert(link.isReady);
      assertEquals(await link.send("", false, ["PING"]), "PONG");
      stop();
      let others = 0;
      link.onReady(() => others++);
      proxy.cutAll();
      await waitUntil("the connection repaired", () => others === 1);
      assertEquals(readies, 1);
    } finally {
      await link.close();
    }
  },
);

linkTest("calls a command whose answer was lost not unsent", async () => {
  await using server = await startRedisServer();
  await using proxy = new TcpProxy(server.url);
  const link = await connect(proxy.url);
  try {
    for (const cut of ["before reply", "mid reply"] as const) {
      proxy.cutNext(cut);
      const error = await assertRejects(() =>
        link.send("k", false, [
          "EVAL",
          "return redis.call('INCR', KEYS[1])",
          "1",
          "k",
        ])
      );
      assert(!isSurelyUnsent(error), `${error}`);
      await waitUntil("the connection repaired", () => link.isReady);
    }
    assertEquals(await command(server, ["GET", "k"]), "2");
  } finally {
    await link.close();
  }
});

linkTest("restores subscriptions after a cut, and tells so", async () => {
  await using server = await startRedisServer();
  await using proxy = new TcpProxy(server.url);
  const client = await createClient({ url: proxy.url }).connect();
  client.on("error", () => {});
  const link = borrowLink(client, fail);
  const subscriber = await link.openSubscriber();
  let resets = 0;
  const heard: string[] = [];
  const listener = (message: string) => heard.push(message);
  subscriber.onReset(() => resets++);
  await subscriber.sSubscribe("c", listener);
  await subscriber.sSubscribe("d", () => heard.push("d"));
  proxy.mode = "down";
  proxy.cutAll();
  // Of a lost connection there is nothing to be ended.
  await deadline("the end", subscriber.sUnsubscribe("c", listener));
  await assertRejects(() => subscriber.sSubscribe("e", listener));
  proxy.mode = "up";
  await waitUntil("the subscription restored", () => resets > 0);
  assertEquals(await command(server, ["PUBSUB", "SHARDCHANNELS"]), ["d"]);
  await command(server, ["SPUBLISH", "d", "1"]);
  await waitUntil("the event", () => heard.length === 1);
  await link.close();
  await assertRejects(
    () => subscriber.sSubscribe("c", listener),
    Error,
    "closed",
  );
  client.destroy();
  await waitForClients(server, 0);
});

linkTest("follows slots of a Cluster with its subscriptions", async () => {
  await using nodes = await startCluster();
  const [from, to] = nodes.servers as [RedisServer, RedisServer];
  const link = await connect({
    rootNodes: nodes.servers.map(({ url }) => ({ url })),
  });
  try {
    const slot = 2000;
    const key = await keyInSlot(slot, link);
    const subscriber = await link.openSubscriber();
    let resets = 0;
    subscriber.onReset(() => resets++);
    const heard: string[] = [];
    await subscriber.sSubscribe(key, (message) => heard.push(message));
    const id = String(await command(to, ["CLUSTER", "MYID"]));
    // Again and again: what nodes tell each other meanwhile may undo it.
    await waitUntil("the subscription moved", async () => {
      for (const server of [to, from, nodes.servers[2]!]) {
        await command(server, ["CLUSTER", "SETSLOT", `${slot}`, "NODE", id]);
      }
      return resets > 0;
    }, { everyMs: 200 });
    await link.send(key, false, ["SPUBLISH", key, "moved"]);
    await waitUntil("the event", () => heard.includes("moved"));
  } finally {
    await link.close();
  }
});

linkTest("closing is quick although an answer is owed", async () => {
  await using server = await startRedisServer();
  const link = await connect(server.url);
  const owed = assertRejects(() => link.send("k", false, ["BLPOP", "k", "0"]));
  await waitUntil(
    "the command there",
    async () =>
      String(await command(server, ["INFO", "clients"]))
        .includes("blocked_clients:1"),
  );
  await deadline("the close", Promise.all([link.close(), link.close()]), 4000);
  await owed;
  await waitForClients(server, 0);
});

linkTest(
  "a borrowed client that is closed first leaves nothing running",
  async () => {
    await using server = await startRedisServer();
    const client = await createClient({ url: server.url }).connect();
    const link = borrowLink(client, fail);
    const subscriber = await link.openSubscriber();
    await subscriber.sSubscribe("c", () => {});
    client.destroy();
    const error = await assertRejects(() => link.send("", false, ["PING"]));
    assert(isSurelyUnsent(error));
    // The sanitizers of the test find timers and sockets that are left.
    await waitForClients(server, 0);
  },
);

/** How many listeners each event of an emitter has. */
function listenersOf(emitter: {
  eventNames(): (string | symbol)[];
  listenerCount(event: string | symbol): number;
}): Record<string, number> {
  return Object.fromEntries(
    emitter.eventNames().map((name) => [
      String(name),
      emitter.listenerCount(name),
    ]),
  );
}

/** Waits until a server has so many ordinary clients besides the one asking. */
async function waitForClients(
  server: RedisServer,
  count: number,
): Promise<void> {
  await waitUntil(`${count} clients`, async () => {
    const list = String(
      await command(server, ["CLIENT", "LIST", "TYPE", "normal"]),
    ) + String(await command(server, ["CLIENT", "LIST", "TYPE", "pubsub"]));
    const others = list.split("\n").filter((line) =>
      line.startsWith("id=") && !/ cmd=client\|list /.test(line) &&
      // Sentinels ask as clients do.
      !/ name=sentinel-/.test(line)
    );
    return others.length === count;
  }, { everyMs: 50 });
}

/** A key in a slot of a Cluster. */
async function keyInSlot(slot: number, link: RedisLink): Promise<string> {
  for (let n = 0;; n++) {
    const found = await link.send("", false, ["CLUSTER", "KEYSLOT", `k${n}`]);
    if (found === slot) return `k${n}`;
  }
}
