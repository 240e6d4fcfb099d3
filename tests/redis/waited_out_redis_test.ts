/**
 * What passes is waited out, within the time of an operation; what was surely
 * not sent is not called unknown.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient } from "redis";
import { BackendError, RedisBackend } from "../../mod.ts";
import { startRedisServer } from "../../scripts/lib/redis_server.ts";
import { whileFrozen } from "../support/frozen.ts";
import {
  serversTest,
  serverTest,
  startReplica,
  SYNC_AT_ONCE,
} from "../support/own_server.ts";
import { TcpProxy } from "../support/proxy.ts";
import { HOUR, KEY, nthKey } from "../support/suite/env.ts";
import { command, waitForReplica } from "../support/topology.ts";
import { waitUntil } from "../support/wait.ts";

/** Longer than 8 tries with 500 ms between them, which was 0.1.0's bound. */
const BUSY_MS = 3000;

serverTest("a_busy_server_is_waited_out", async (server, raw) => {
  await using backend = await RedisBackend.connect(server.url);
  await backend.put(KEY, "1", HOUR);
  const start = performance.now();
  const script = `
    local began = redis.call('TIME')
    repeat local now = redis.call('TIME')
    until (now[1] - began[1]) * 1000 + (now[2] - began[2]) / 1000 > ${BUSY_MS}
    return 1`;
  const busy = raw.sendCommand(["EVAL", script, "0"]);
  await waitUntil(
    "the server says BUSY",
    () => command(server, ["PING"]).then(() => false, () => true),
  );
  const answers = await Promise.all([
    backend.get(KEY).then(({ version }) => version),
    backend.put(nthKey(1), "x", HOUR),
    backend.create(nthKey(2), "x", { meta: HOUR }),
    backend.delete(nthKey(3)),
    backend.listByPrefix("alice:").then(() => "listed"),
    backend.queues.push(KEY, "m").then(() => "pushed"),
    backend.watch(KEY)[Symbol.asyncIterator]().next().then(({ done }) => done),
  ]);
  assertEquals(answers, [1, 1, 1, false, "listed", "pushed", false]);
  assertEquals(await busy, 1);
  assert(performance.now() - start > BUSY_MS, "it was not busy");
}, { args: ["--lua-time-limit", "100"] });

serversTest("a_replica_is_written_to_once_it_is_promoted", async (stack) => {
  const master = stack.use(await startRedisServer({ args: SYNC_AT_ONCE }));
  const replica = stack.use(await startReplica(master));
  await waitForReplica(master);
  await using backend = await RedisBackend.connect(replica.url);
  const writes = Promise.all([
    backend.put(KEY, "x", HOUR),
    backend.create(nthKey(1), "x", { meta: HOUR }),
  ]);
  await waitUntil("tries for long", async () => {
    const stats = String(await command(replica, ["INFO", "errorstats"]));
    // Each was tried more often than 0.1.0 would have.
    return Number(/errorstat_READONLY:count=(\d+)/.exec(stats)?.[1]) > 20;
  });
  await command(replica, ["REPLICAOF", "NO", "ONE"]);
  assertEquals(await writes, [1, 1]);
});

serversTest("a_server_that_loads_its_data_is_waited_out", async (stack) => {
  const master = stack.use(await startRedisServer({ args: SYNC_AT_ONCE }));
  await using writer = await RedisBackend.connect(master.url);
  await writer.put(KEY, "x", HOUR);
  const fill = `for i = 1, 1500 do redis.call('SET', 'k' .. i, i) end`;
  await command(master, ["EVAL", fill, "0"]);
  const loading = stack.use(
    await startRedisServer({
      args: [
        // Two milliseconds a key, and clients are answered meanwhile.
        ...["--key-load-delay", "2000"],
        ...["--loading-process-events-interval-bytes", "1024"],
      ],
    }),
  );
  await using backend = await RedisBackend.connect(loading.url);
  await command(loading, ["REPLICAOF", "127.0.0.1", `${master.port}`]);
  await waitUntil(
    "the server says LOADING",
    () =>
      command(loading, ["EXISTS", "x"]).then(
        () => false,
        (error) => String(error).includes("LOADING"),
      ),
  );
  const start = performance.now();
  assertEquals((await backend.get(KEY)).data, "x");
  assert(performance.now() - start > 1000, "it was not loading");
});

serverTest("what_lasts_too_long_fails_in_time_and_is_not_applied", async (
  server,
  raw,
) => {
  await using backend = await RedisBackend.connect(server.url, {
    retry: { timeoutMs: 500 },
  });
  await backend.put(KEY, "1", HOUR);
  const busy = assertRejects(() =>
    raw.sendCommand(["EVAL", "while true do end", "0"])
  );
  await waitUntil(
    "the server says BUSY",
    () => command(server, ["PING"]).then(() => false, () => true),
  );
  const start = performance.now();
  const error = await assertRejects(
    () => backend.put(KEY, "2", HOUR),
    BackendError,
    "BUSY",
  );
  const tookMs = performance.now() - start;
  assert(tookMs > 490 && tookMs < 1500, `took ${tookMs} ms`);
  assertEquals(error.outcome, "not_applied");
  await command(server, ["SCRIPT", "KILL"]);
  await busy;
  assertEquals((await backend.get(KEY)).version, 1);
}, { args: ["--lua-time-limit", "100"] });

serverTest("a_full_queue_of_a_client_is_waited_out", async (server) => {
  const client = await createClient({
    url: server.url,
    commandsQueueMaxLength: 5,
  }).connect();
  try {
    await using backend = new RedisBackend(client);
    const puts = Array.from(
      { length: 100 },
      (_, n) => backend.put(nthKey(n), "x", HOUR),
    );
    assertEquals(await Promise.all(puts), Array(100).fill(1));
  } finally {
    client.destroy();
  }
});

serverTest("a_full_queue_of_a_client_is_not_applied", async (server, raw) => {
  const client = await createClient({
    url: server.url,
    commandsQueueMaxLength: 5,
  }).connect();
  client.on("error", () => {});
  try {
    await using backend = new RedisBackend(client, {
      retry: { timeoutMs: 300 },
    });
    await backend.put(KEY, "1", HOUR);
    await whileFrozen(server, async () => {
      for (let n = 0; n < 5; n++) client.ping().catch(() => {});
      const error = await assertRejects(
        () => backend.put(KEY, "2", HOUR),
        BackendError,
        "The queue is full",
      );
      assertEquals(error.outcome, "not_applied");
    });
    await raw.ping();
    assertEquals((await backend.get(KEY)).version, 1);
  } finally {
    client.destroy();
  }
});

serverTest(
  "a_write_is_not_applied_while_a_borrowed_client_is_not_connected",
  async (server) => {
    await using proxy = new TcpProxy(server.url);
    // It queues while it is offline, as node-redis does unless told not to.
    const client = createClient({ url: proxy.url });
    client.on("error", () => {});
    await client.connect();
    try {
      await using backend = new RedisBackend(client, {
        retry: { timeoutMs: 300 },
      });
      await backend.put(KEY, "1", HOUR);
      proxy.mode = "down";
      proxy.cutAll();
      await waitUntil("the loss noticed", () => !client.isReady);
      const error = await assertRejects(
        () => backend.put(KEY, "2", HOUR),
        BackendError,
        "not connected",
      );
      assertEquals(error.outcome, "not_applied");
      proxy.mode = "up";
      await waitUntil("it is back", () => client.isReady);
      // And nothing was kept to be sent now.
      assertEquals(await client.ping(), "PONG");
      assertEquals((await backend.get(KEY)).version, 1);
    } finally {
      client.destroy();
    }
  },
);
