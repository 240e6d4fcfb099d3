/**
 * A server that is read-only, replicated, restarted, frozen, full or locked.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { BackendError, NotFoundError, RedisBackend } from "../../mod.ts";
import { startRedisServer } from "../../scripts/lib/redis_server.ts";
import { HOUR, KEY, nthKey } from "../support/suite/env.ts";
import {
  assertIndexesMatch,
  serverTest,
  startReplica,
  SYNC_AT_ONCE,
} from "../support/own_server.ts";
import { waitUntil } from "../support/wait.ts";

serverTest("read_only_replica_is_a_backend_error", async (server, raw) => {
  await using backend = await RedisBackend.connect(server.url);
  await backend.put(KEY, "x", HOUR);
  await using replica = await startReplica(server);
  // What says "not now" is waited out within the time.
  await using reader = await RedisBackend.connect(replica.url, {
    retry: { timeoutMs: 300 },
  });
  await waitUntil(
    "the record replicated",
    () => reader.get(KEY).then(() => true, () => false),
  );
  for (
    const write of [
      () => reader.put(KEY, "y", HOUR),
      () => reader.putIfVersion(KEY, "y", 1, HOUR),
      () => reader.create(nthKey(2), "y", { meta: HOUR }),
      () => reader.delete(KEY),
    ]
  ) {
    // A try that is under way when the time is over leaves it unknown.
    await waitUntil("a refusal within the time", async () => {
      const error = await assertRejects(write, BackendError);
      assert(error.cause instanceof Error || error.outcome === "unknown");
      return error.outcome === "not_applied" && /READONLY/.test(error.message);
    });
  }
  assertEquals((await backend.get(KEY)).version, 1);
  assertEquals(await raw.exists("mcp:tasks:{alice}:t-0002"), 0);
}, { args: SYNC_AT_ONCE });

serverTest("durable_write_waits_for_its_replicas", async (server) => {
  await using plain = await RedisBackend.connect(server.url);
  await plain.put(KEY, "x", HOUR);
  const durability = { replicas: 1, timeoutMs: 200 };
  await using backend = await RedisBackend.connect(server.url, { durability });
  for (
    const [write, version] of [
      [() => backend.putIfVersion(KEY, "y", 1, HOUR), 2],
      [() => backend.put(KEY, "z", HOUR), 3],
      [() => backend.create(nthKey(2), "z", { meta: HOUR }), 1],
    ] as const
  ) {
    const error = await assertRejects(write, BackendError, "0 of 1 replicas");
    assertEquals([error.outcome, error.version], ["applied", version]);
  }
  // It is stored on the primary, as the error says.
  assertEquals((await backend.get(KEY)).version, 3);
  // A deletion of nothing has nothing to confirm, and what was taken out of a
  // queue is given to its receiver.
  assertEquals(await backend.delete(nthKey(9)), false);
  await plain.queues.push(KEY, "one");
  await plain.queues.push(KEY, "two");
  assertEquals(await backend.queues.shift(KEY), "one");
  assertEquals(await backend.queues.drain(KEY), ["two"]);
  await using replica = await startReplica(server);
  await using reader = await RedisBackend.connect(replica.url);
  // A replica that has just been filled acknowledges after a second or so.
  let probe = 0;
  await waitUntil("the replica in step", async () => {
    await plain.put(nthKey(3), `${++probe}`, HOUR);
    return await reader.get(nthKey(3)).then(() => true, () => false);
  });
  for (let version = 4; version <= 20; version++) {
    assertEquals(await backend.put(KEY, `${version}`, HOUR), version);
    assertEquals((await reader.get(KEY)).version, version);
  }
  assertEquals(await backend.delete(KEY), true);
  await assertRejects(() => reader.get(KEY), NotFoundError);
}, { args: SYNC_AT_ONCE });

serverTest("restart_is_not_noticed", async (server) => {
  await using backend = await RedisBackend.connect(server.url);
  await backend.put(KEY, "x", HOUR);
  await server.kill();
  await using again = await startRedisServer({ port: server.port });
  // Memory and scripts are gone: no error but the record's absence.
  await assertRejects(() => backend.get(KEY), NotFoundError);
  assertEquals(await backend.create(KEY, "y", { meta: HOUR }), 1);
  assertEquals(again.url, server.url);
});

serverTest(
  "frozen_server_is_a_backend_error_within_the_time",
  async (server) => {
    await using backend = await RedisBackend.connect(server.url, {
      retry: { timeoutMs: 300 },
    });
    await backend.put(KEY, "x", HOUR);
    Deno.kill(server.pid, "SIGSTOP");
    try {
      const start = performance.now();
      const error = await assertRejects(
        () => backend.putIfVersion(KEY, "y", 1, HOUR),
        BackendError,
      );
      assertEquals(error.outcome, "unknown");
      // Not the default of ten seconds, on a loaded machine either.
      assert(performance.now() - start < 6000);
      await assertRejects(() => backend.get(KEY), BackendError);
    } finally {
      Deno.kill(server.pid, "SIGCONT");
    }
    await waitUntil(
      "an answer",
      () => backend.get(KEY).then(() => true, () => false),
    );
  },
);

serverTest("full_memory_is_a_backend_error", async (server, raw) => {
  await using backend = await RedisBackend.connect(server.url);
  await backend.put(KEY, "x", HOUR);
  await raw.configSet("maxmemory", "1");
  for (
    const write of [
      () => backend.put(KEY, "y", HOUR),
      () => backend.create(nthKey(2), "y", { meta: HOUR }),
    ]
  ) {
    const error = await assertRejects(write, BackendError, "OOM");
    assertEquals(error.outcome, "not_applied");
  }
  assertEquals((await backend.get(KEY)).version, 1);
  await assertIndexesMatch(raw, "out of memory");
});

serverTest("wrong_password_is_a_backend_error", async (server, raw) => {
  await using backend = await RedisBackend.connect(server.url);
  await backend.put(KEY, "x", HOUR);
  await raw.configSet("requirepass", "secret");
  const { port } = server;
  for (const url of [server.url, `redis://:wrong@127.0.0.1:${port}`]) {
    const error = await assertRejects(
      () => RedisBackend.connect(url),
      BackendError,
      `127.0.0.1:${port}`,
    );
    assert(!error.message.includes("wrong@"));
  }
  const url = `redis://:secret@127.0.0.1:${port}`;
  await using known = await RedisBackend.connect(url);
  assertEquals((await known.get(KEY)).version, 1);
});
