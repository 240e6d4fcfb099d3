/**
 * What an operation costs, counted where it arrives: round trips on the wire,
 * commands at the server.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type StorageBackend, VersionConflictError } from "../../mod.ts";
import { HOUR, nthKey, PREFIX } from "../support/suite/env.ts";
import { Monitor, type MonitoredCommand } from "../support/monitor.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { TcpProxy } from "../support/proxy.ts";

const WRITES = [
  "ZADD",
  "ZREM",
  "PEXPIREAT",
  "PERSIST",
  "DEL",
  "UNLINK",
  "HSET",
  "HINCRBY",
  "HDEL",
];

for (const count of [10, 1000]) {
  redisTest(
    `operations_take_their_round_trips_with_${count}_records`,
    async (redis) => {
      await using proxy = new TcpProxy(redis.url);
      const backend = await redis.connect({}, proxy.url);
      await fill(backend, count);
      await using monitor = await Monitor.open(redis.url, redis.raw);
      const costs = async (
        roundTrips: number,
        call: () => Promise<unknown>,
        commandsSent = roundTrips,
      ) => {
        // Once before: the server then knows the script.
        await call();
        const before = proxy.roundTrips;
        const commands = await monitor.during(call);
        assertEquals(proxy.roundTrips - before, roundTrips, `${call}`);
        assertEquals(sent(commands, redis).length, commandsSent, `${call}`);
      };
      let version = 1;
      let n = count;
      await costs(1, () => backend.get(nthKey(1)));
      await costs(1, () => backend.put(nthKey(2), "x", HOUR));
      await costs(
        1,
        async () =>
          version = await backend.putIfVersion(nthKey(1), "x", version, HOUR),
      );
      await costs(
        1,
        () =>
          backend.create(nthKey(++n), "x", { meta: HOUR, maxRecords: 5000 }),
      );
      await costs(1, () => backend.delete(nthKey(n--)));
      await costs(1, () =>
        assertRejects(
          () => backend.putIfVersion(nthKey(1), "x", 999, HOUR),
          VersionConflictError,
        ));
      await costs(0, () => backend.cleanupExpired());
      await costs(2, async () => {
        assertEquals((await backend.listByPrefix(PREFIX)).length, count);
      }, 1 + count);
      for (const limit of [1, 10, 1000]) {
        await costs(2, async () => {
          const { records } = await backend.listPage(PREFIX, { limit });
          assertEquals(records.length, Math.min(count, limit));
        }, 1 + Math.min(count, limit));
      }
      const { nextCursor: cursor = "" } = await backend.listPage(PREFIX, {
        limit: 5,
      });
      await costs(2, () => backend.listPage(PREFIX, { cursor, limit: 5 }), 6);
    },
  );
}

redisTest("large_record_takes_one_round_trip", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  const backend = await redis.connect({}, proxy.url);
  await using monitor = await Monitor.open(redis.url, redis.raw);
  await backend.put(nthKey(1), "x", HOUR);
  await backend.get(nthKey(1));
  for (
    const call of [
      () => backend.put(nthKey(1), "x".repeat(1_000_000), HOUR),
      () => backend.get(nthKey(1)),
    ]
  ) {
    assertEquals(sent(await monitor.during(call), redis).length, 1);
  }
});

redisTest("missing_owner_lists_in_one_round_trip_or_two", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  const backend = await redis.connect({}, proxy.url);
  await backend.listByPrefix(PREFIX);
  const before = proxy.roundTrips;
  await backend.listByPrefix(PREFIX);
  assert(proxy.roundTrips - before <= 2);
});

/** What the common calls cost: what is sent, and what scripts then run. */
redisTest("common_calls_are_one_round_trip_and_few_commands", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  const backend = await redis.connect({}, proxy.url);
  await using monitor = await Monitor.open(redis.url, redis.raw);
  const meta = { ...HOUR, createdAt: 1_700_000_000_000, active: true };
  const { fence } = await backend.leases.create(
    nthKey(1),
    "x".repeat(1_000_000),
    { holder: "worker-1", forMs: 60_000 },
    { meta },
  );
  await backend.create(nthKey(2), "1", { meta });
  let read = await backend.get(nthKey(2));
  const record = redis.record("alice", "t-0002");
  const leased = redis.record("alice", "t-0001");
  const update = async (active: boolean) => {
    const next = { ...meta, active };
    await backend.putIfVersion(nthKey(2), "2", { ...read, meta }, next);
  };
  const cases: [string, () => Promise<unknown>, string, string[]][] = [
    ["get", async () => read = await backend.get(nthKey(2)), "HMGET", []],
    ["update", () => update(true), "EVALSHA", [
      `HGET ${record} ops`,
      `HSET ${record} version data ops`,
      "SPUBLISH",
    ]],
    ["get", async () => read = await backend.get(nthKey(2)), "HMGET", []],
    ["completion", () => update(false), "EVALSHA", [
      `HGET ${record} ops`,
      `ZREM ${redis.prefix}:act:{alice}`,
      `HSET ${record} version data ops`,
      "SPUBLISH",
    ]],
    [
      "renewal",
      () => backend.leases.renew(nthKey(1), fence, 60_000),
      "EVALSHA",
      [`HMGET ${leased} lease expires_at`, `HSET ${leased} lease`],
    ],
  ];
  // Once before: the server then knows the scripts.
  await update(true);
  await backend.leases.renew(nthKey(1), fence, 60_000);
  for (const [name, call, command, inside] of cases) {
    const before = proxy.roundTrips;
    const commands = await monitor.during(call);
    assertEquals(proxy.roundTrips - before, 1, name);
    // The source goes along until its digest is known.
    const own = sent(commands, redis)
      .map(({ words }) => words[0]?.replace(/^EVAL$/, "EVALSHA"));
    assertEquals(own, [command], name);
    const ran = commands.filter(({ from }) => from === "lua")
      .map(({ words }) => shape(words))
      // Asked only near the end of a span of the trace.
      .filter((command) => command !== "TIME");
    assertEquals(ran, inside, name);
  }
});

redisTest("update_of_data_alone_touches_only_the_hash", async (redis) => {
  const backend = await redis.connect();
  const meta = { ...HOUR, createdAt: 1_700_000_000_000 };
  await backend.put(nthKey(1), "1", meta);
  await backend.put(nthKey(2), "1");
  await using monitor = await Monitor.open(redis.url, redis.raw);
  let version = 1;
  for (
    const update of [
      () => backend.put(nthKey(1), "2", meta),
      () => backend.put(nthKey(1), "3", HOUR),
      () => backend.putIfVersion(nthKey(1), "4", 3, meta),
      () => backend.putIfVersion(nthKey(1), "5", 4, HOUR),
      () => backend.put(nthKey(2), "2"),
      () => backend.putIfVersion(nthKey(2), "3", 2),
    ]
  ) {
    const commands = await monitor.during(async () => version = await update());
    assert(version > 1);
    assertEquals(
      [...writtenKeys(commands, redis)].filter((key) =>
        !key.startsWith(`${redis.prefix}:tasks:`)
      ),
      [],
    );
    assertEquals(writtenKeys(commands, redis).size, 1);
  }
  await backend.delete(nthKey(2));
});

redisTest("scripts_touch_only_the_keys_they_declare", async (redis) => {
  const backend = await redis.connect();
  await using monitor = await Monitor.open(redis.url, redis.raw);
  const commands = await monitor.during(async () => {
    await fill(backend, 20);
    await backend.put(nthKey(1), "x");
    await backend.putIfVersion(nthKey(1), "x", 2, HOUR);
    await backend.create(nthKey(30), "x", { meta: HOUR, maxRecords: 100 });
    await backend.put(nthKey(3), "x", { expiresAt: 1 });
    await backend.delete(nthKey(2));
    await redis.raw.del(redis.record("alice", "t-0004"));
    await backend.listByPrefix(PREFIX);
    await backend.listPage(PREFIX, { limit: 3 });
  });
  let declared = new Set<string>();
  let seen = 0;
  for (const { from, words } of commands) {
    if (from !== "lua") {
      if (/^eval/i.test(words[0] ?? "")) {
        declared = new Set(words.slice(3, 3 + Number(words[2])));
      }
      continue;
    }
    const key = words[1] ?? "";
    if (!key.startsWith(redis.prefix) || key.includes(":events:")) continue;
    seen++;
    assert(declared.has(key), `${words.join(" ")} is not among its KEYS`);
  }
  assert(seen > 100, `only ${seen} commands seen`);
});

/** All that the clients of this test sent, whatever it was. */
function sent(
  commands: MonitoredCommand[],
  redis: RedisFixture,
): MonitoredCommand[] {
  const ours = new Set(
    commands.filter(({ from, words }) =>
      from !== "lua" && words.some((word) => word.startsWith(redis.prefix))
    ).map(({ from }) => from),
  );
  return commands.filter(({ from }) => ours.has(from));
}

/** A command without what it stores: its name, its key and its fields. */
function shape([name = "", key = "", ...rest]: readonly string[]): string {
  if (name === "SPUBLISH") return name;
  const fields = name === "HSET"
    ? rest.filter((_, i) => i % 2 === 0)
    : name === "ZREM"
    ? []
    : rest;
  return [name, key, ...fields].join(" ").trim();
}

/** The keys of this test that scripts wrote to. */
function writtenKeys(
  commands: MonitoredCommand[],
  redis: RedisFixture,
): Set<string> {
  const keys = new Set<string>();
  for (const { from, words: [name = "", key = ""] } of commands) {
    if (from === "lua" && WRITES.includes(name.toUpperCase())) {
      if (key.startsWith(redis.prefix)) keys.add(key);
    }
  }
  return keys;
}

async function fill(backend: StorageBackend, count: number): Promise<void> {
  await Promise.all(
    Array.from(
      { length: count },
      (_, n) => backend.put(nthKey(n + 1), `record ${n}`, HOUR),
    ),
  );
}
