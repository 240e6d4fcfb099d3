/**
 * Users who may not do all: the least that is enough, and what becomes of a
 * write that is stopped half-way.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createCluster } from "redis";
import {
  BackendError,
  makeKey,
  makePrefix,
  NotFoundError,
  RedisBackend,
  type StorageBackend,
  StorageError,
} from "../../mod.ts";
import { LUA_SCRIPTS } from "../../scripts/lib/lua_scripts.ts";
import type { RedisServer } from "../../scripts/lib/redis_server.ts";
import { HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";
import { callsOf } from "../support/suite/calls.ts";
import { ownServerEnabled } from "../support/gate.ts";
import { everyOperation } from "../support/every_operation.ts";
import {
  assertIndexesMatch,
  DEBUGGABLE,
  serversTest,
  serverTest,
  snapshot,
  startCluster,
  startReplica,
  SYNC_AT_ONCE,
  waitForReplica,
} from "../support/own_server.ts";
import { openRaw, type RawClient } from "../support/redis_fixture.ts";

/** The least a user needs, as README says. */
const LEAST = rulesBehind(/^ *(~mcp:\*[^`]*)/m);
/** What else a part of the library or a kind of deployment needs. */
const QUEUE = rulesBehind(/for a `TaskMessageQueue` also `([^`]+)`/);
const DURABILITY = rulesBehind(/for\s+`durability`\s+`([^`]+)`/);
const CLUSTER = rulesBehind(/on a Cluster `([^`]+)`/);
const DATABASE = rulesBehind(/database than 0 `([^`]+)`/);

const META = { ...HOUR, createdAt: 1_700_000_000_000, active: true };
const LEASE = { holder: "worker-1", forMs: 3600_000 };

/** How servers say that a command or channel is forbidden. */
const FORBIDDEN = /NOPERM|can't (run|publish|access)|ACL failure/;

Deno.test({
  name: "readme_names_every_command_of_the_scripts_and_no_other",
  ignore: !ownServerEnabled,
  fn: () => {
    // Beside the scripts, these are sent.
    const plain = "ping eval evalsha ssubscribe sunsubscribe hmget".split(" ");
    const used = { least: new Set(plain), queue: new Set<string>() };
    for (const { name, source } of LUA_SCRIPTS.values()) {
      const part = name.startsWith("queue_") ? used.queue : used.least;
      for (const [, command] of source.matchAll(/\bp?call\('([A-Z]+)'/g)) {
        part.add(command!.toLowerCase());
      }
    }
    const named = (rules: string[]) =>
      rules.filter((rule) => rule.startsWith("+"))
        .map((rule) => rule.slice(1)).sort();
    assertEquals(named(LEAST), [...used.least].sort());
    assertEquals(
      named(QUEUE),
      [...used.queue.difference(used.least)].sort(),
    );
  },
});

serverTest("minimal_acl_serves_every_operation", async (server, raw) => {
  const url = await addUser(server, raw, LEAST);
  await using admin = await RedisBackend.connect(server.url);
  await using backend = await RedisBackend.connect(url);
  await everyOperation(backend);
  const fence = await prepare(admin, raw);
  for (const call of [...callsBut("queue", backend, fence)]) await call();
  await assertIndexesMatch(raw, "a user of the least rights");
});

serverTest("minimal_acl_and_queues_serve_a_queue", async (server, raw) => {
  const url = await addUser(server, raw, [...LEAST, ...QUEUE]);
  await using backend = await RedisBackend.connect(url);
  for (const call of queueCalls(backend)) await call();
});

serverTest("minimal_acl_and_select_serve_a_database", async (server, raw) => {
  const url = await addUser(server, raw, [...LEAST, ...DATABASE]);
  await using backend = await RedisBackend.connect(`${url}/3`);
  await everyOperation(backend);
  await addUser(server, raw, LEAST);
  await assertRejects(() => RedisBackend.connect(`${url}/3`), BackendError);
});

serverTest("minimal_acl_and_wait_serve_durability", async (server, raw) => {
  const url = await addUser(server, raw, [...LEAST, ...DURABILITY]);
  await using replica = await startReplica(server);
  await waitForReplica(server);
  const durability = { replicas: 1, timeoutMs: 10_000 };
  await using backend = await RedisBackend.connect(url, { durability });
  await everyOperation(backend);
  assert(replica.port !== server.port);
}, { args: SYNC_AT_ONCE });

serversTest("minimal_acl_of_a_cluster_serves_it", async (servers) => {
  const nodes = await startCluster(servers);
  const raws = await Promise.all(nodes.map(({ url }) => openRaw(url)));
  try {
    for (const [i, node] of nodes.entries()) {
      await addUser(node, raws[i]!, [...LEAST, ...QUEUE, ...CLUSTER]);
    }
    const cluster = await createCluster({
      rootNodes: nodes.map(({ url }) => ({ url })),
      defaults: { username: "tasks", password: "pw" },
    }).connect();
    try {
      await using backend = new RedisBackend(cluster, { prefix: "mcp" });
      for (const owner of ["alice", "urn:bob", "{c}", "d", "e"]) {
        await everyOperation(backend, owner);
      }
      for (const call of queueCalls(backend)) await call();
      await migrating(raws, "mcp:tasks:{asked}:t-1", async () => {
        await backend.get(makeKey("asked", "t-1")).catch(isAbsent);
      });
    } finally {
      cluster.destroy();
    }
  } finally {
    for (const raw of raws) raw.destroy();
  }
});

serverTest("forbidden_keys_are_a_backend_error", async (server, raw) => {
  const url = await addUser(server, raw, LEAST);
  await using backend = await RedisBackend.connect(url, { prefix: "other" });
  await refusedEverywhere(backend, "NOPERM");
  assertEquals(await raw.keys("*"), []);
});

/** Without these nothing is sent at all, or the other is taken. */
const CONNECTING = ["+ping", "+ssubscribe", "+sunsubscribe", "~mcp:*"];

for (const missing of [...LEAST, ...QUEUE]) {
  if (CONNECTING.includes(missing)) continue;
  serverTest(
    `user_without_${missing}_leaves_nothing_half_written`,
    async (server, raw) => {
      const rules = [...LEAST, ...QUEUE].filter((rule) => rule !== missing);
      const url = await addUser(server, raw, rules);
      await using admin = await RedisBackend.connect(server.url);
      const fence = await prepare(admin, raw);
      let refused = 0;
      // Both as the first call of a connection, and behind others.
      for (const isFirst of [true, false]) {
        await using common = await RedisBackend.connect(url);
        const names = callsBut("nothing", common, fence).keys();
        for (const n of names) {
          await using own = isFirst ? await RedisBackend.connect(url) : null;
          const call = callsBut("nothing", own ?? common, fence)[n]!;
          const before = await stored(raw);
          const error = await call().then(() => undefined, (error) => error);
          if (error === undefined) continue;
          if (!(error instanceof BackendError)) {
            // The one that would have made what it needs was refused.
            assert(error instanceof StorageError, `${call}: ${error}`);
            continue;
          }
          refused++;
          assert(FORBIDDEN.test(error.message), error.message);
          assertEquals(error.outcome, "not_applied");
          assertEquals(await stored(raw), before, `${call}`);
        }
        await prepare(admin, raw);
      }
      assert(refused > 0, `nothing needs ${missing}`);
    },
    { args: DEBUGGABLE },
  );
}

serverTest(
  "writes_sent_together_are_all_refused_before_they_write",
  async (server, raw) => {
    for (const missing of ["+hset", "+pexpireat", "+zadd", "+spublish"]) {
      const rules = LEAST.filter((rule) => rule !== missing);
      await using backend = await RedisBackend.connect(
        await addUser(server, raw, rules),
      );
      const tried = await Promise.allSettled(
        [1, 2, 3].map((n) => backend.create(nthKey(n), "x", { meta: META })),
      );
      assert(tried.every(({ status }) => status === "rejected"), missing);
      assertEquals(await raw.keys("*"), [], missing);
    }
  },
);

/** The rules in one place of README; none where it may not be read. */
function rulesBehind(place: RegExp): string[] {
  if (!ownServerEnabled) return [];
  const readme = Deno.readTextFileSync(
    new URL("../../README.md", import.meta.url),
  );
  const rules = place.exec(readme)?.[1];
  if (rules === undefined) throw new Error(`README has no ${place.source}`);
  return rules.trim().split(/\s+/);
}

/** A user with just these rules, and how to log in as it. */
async function addUser(
  server: RedisServer,
  raw: RawClient,
  rules: string[],
): Promise<string> {
  const user = ["tasks", "reset", "on", ">pw", ...rules];
  await raw.sendCommand(["ACL", "SETUSER", ...user]);
  return `redis://tasks:pw@127.0.0.1:${server.port}`;
}

/**
 * What is stored, but for a setting whose every read extends its time, and the
 * indexes of bob: lists drop what has expired from them before they are refused.
 */
async function stored(raw: RawClient) {
  const keys = await snapshot(raw);
  const others = ["due:shards", "idx:{bob}", "exp:{bob}", "act:{bob}"];
  for (const key of others) keys.delete(`mcp:${key}`);
  return keys;
}

/** Records for the calls below, as an admin writes them. */
async function prepare(admin: RedisBackend, raw: RawClient): Promise<number> {
  await raw.flushAll();
  await admin.due.offer(nthKey(1), "queue", 1, META);
  for (const n of [1, 2, 3, 5]) {
    await admin.put(nthKey(n), "1", { ...META, createdAt: n });
  }
  await admin.put(nthKey(7), "1");
  // Evicted: a list drops its entry.
  await admin.put(nthKey(8), "1", HOUR);
  await raw.del("mcp:tasks:{alice}:t-0008");
  // Many expired ones: a page walks over those it cannot drop at once.
  const gone = Array.from({ length: 300 }, (_, n) => `t-${n}`);
  for (const index of ["idx", "exp", "act"]) {
    await raw.zAdd(
      `mcp:${index}:{bob}`,
      gone.map((value, n) => ({ value, score: 1_600_000_000_000 + n })),
    );
  }
  await admin.put(makeKey("bob", "live"), "1", META);
  for (const n of [4, 6]) await admin.put(nthKey(n), "1", META);
  const { fence } = await admin.leases.acquire(nthKey(4), LEASE);
  const lease = await raw.hGet("mcp:tasks:{alice}:t-0004", "lease");
  await raw.hSet("mcp:tasks:{alice}:t-0006", "lease", lease!);
  return fence;
}

/** Calls that together run every command of every script. */
function callsBut(
  part: "queue" | "nothing",
  backend: RedisBackend,
  fence: number,
): (() => Promise<unknown>)[] {
  const { leases, steps, due } = backend;
  const read = () => backend.get(nthKey(1));
  return [
    read,
    // Its expiry is in doubt: a script reads it.
    () => backend.get(nthKey(9)).catch(isAbsent),
    () => backend.put(nthKey(1), "2", { ...META, createdAt: 1 }),
    async () =>
      await backend.putIfVersion(nthKey(1), "3", await read(), {
        ...META,
        createdAt: 1,
        active: false,
      }),
    () => backend.put(nthKey(2), "2"),
    () => backend.put(nthKey(7), "2", HOUR),
    () => backend.put(nthKey(3), "2", { expiresAt: 1 }),
    () => backend.create(nthKey(10), "2", { meta: META, maxActive: 50 }),
    () => backend.create(nthKey(11), "2", { meta: HOUR, maxRecords: 50 }),
    () => backend.create(nthKey(12), "2"),
    () => backend.create(makeKey("bob", "n"), "2", { meta: HOUR }),
    () => steps.record(nthKey(4), fence, "step", "x"),
    () => steps.open(nthKey(4), fence),
    () => leases.renew(nthKey(4), fence, LEASE.forMs),
    () => leases.acquire(nthKey(5), LEASE),
    () => leases.release(nthKey(6), fence),
    () =>
      backend.putIfVersion(nthKey(4), "2", 1, {
        ...META,
        fence,
        releaseLease: true,
      }),
    () => backend.listByPrefix(PREFIX),
    () => backend.listPage(makePrefix("bob"), { active: true }),
    async () => {
      const first = await backend.listPage(PREFIX, { limit: 2 });
      const cursor = first.nextCursor ?? "";
      await backend.listPage(PREFIX, { limit: 2, cursor });
    },
    () => backend.delete(nthKey(5)),
    () => backend.delete(nthKey(7)),
    () => due.offer(nthKey(1), "queue", 1),
    () => due.offer(nthKey(2), "queue", 1, META),
    () => due.claim(["queue"], 5, 1000),
    () => due.withdraw(nthKey(2), "queue"),
    ...(part === "queue" ? [] : queueCalls(backend)),
  ];
}

function queueCalls({ queues }: RedisBackend): (() => Promise<unknown>)[] {
  return [
    () => queues.push(nthKey(1), "x", { maxLength: 5 }),
    () => queues.push(nthKey(99), "x"),
    () => queues.shift(nthKey(1)),
    () => queues.drain(nthKey(99)),
  ];
}

function isAbsent(error: unknown): void {
  if (!(error instanceof NotFoundError)) throw error;
}

/** Runs a body while the slot of an absent key is on its way to another node. */
async function migrating(
  raws: readonly RawClient[],
  key: string,
  body: () => Promise<void>,
): Promise<void> {
  const slot = Number(
    await raws[0]!.sendCommand(["CLUSTER", "KEYSLOT", key]),
  );
  const ids = await Promise.all(
    raws.map(async (raw) => String(await raw.sendCommand(["CLUSTER", "MYID"]))),
  );
  const from = [5460, 10922, 16383].findIndex((last) => slot <= last);
  const to = (from + 1) % raws.length;
  const set = (node: number, ...words: string[]) =>
    raws[node]!.sendCommand(["CLUSTER", "SETSLOT", `${slot}`, ...words]);
  await set(to, "IMPORTING", ids[from]!);
  await set(from, "MIGRATING", ids[to]!);
  await body();
  const stats = await raws[to]!.info("commandstats");
  assert(/cmdstat_asking:calls=[1-9]/.test(stats), "nothing was asked there");
}

async function refusedEverywhere(
  backend: StorageBackend,
  why: string,
): Promise<void> {
  const lists = [
    () => backend.listByPrefix(PREFIX),
    () => backend.listPage(PREFIX),
  ];
  for (const call of [...callsOf(backend, KEY), ...lists]) {
    const error = await assertRejects(call, BackendError, why);
    assertEquals(error.outcome, "not_applied");
    assert(error.cause instanceof Error);
  }
}
