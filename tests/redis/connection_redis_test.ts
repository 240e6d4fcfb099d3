/**
 * Opening, borrowing, sharing and closing connections.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient } from "redis";
import { BackendError, NotFoundError, RedisBackend } from "../../mod.ts";
import { redisUrl } from "../support/gate.ts";
import { HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";
import { everyOperation } from "../support/every_operation.ts";
import { addressOf, redisTest } from "../support/redis_fixture.ts";
import { TcpProxy } from "../support/proxy.ts";
import { deadline } from "../support/wait.ts";

redisTest("wrong_port_is_an_error_that_names_the_address", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  for (
    const target of [
      `redis://127.0.0.1:${port}`,
      `redis://user:secret@127.0.0.1:${port}/0`,
      { socket: { host: "127.0.0.1", port }, password: "secret" },
    ]
  ) {
    const start = performance.now();
    const error = await assertRejects(
      () => RedisBackend.connect(target),
      BackendError,
      `127.0.0.1:${port}`,
    );
    assert(performance.now() - start < 6000, "tried for long");
    assert(error.cause instanceof Error);
    assertEquals(error.outcome, "not_applied");
    tellsNoSecret(error);
  }
});

redisTest("wrong_password_is_an_error_that_does_not_tell_it", async () => {
  const url = new URL(redisUrl);
  url.username = "nobody-we-know";
  url.password = "secret";
  const error = await assertRejects(
    () => RedisBackend.connect(url.href),
    BackendError,
    addressOf(redisUrl),
  );
  assert(error.cause instanceof Error);
  assert(error.message.includes("WRONGPASS"), error.message);
  tellsNoSecret(error);
});

redisTest("malformed_url_is_a_type_error_that_does_not_tell_it", async () => {
  for (
    const url of [
      "",
      "127.0.0.1:6379",
      "http://user:secret@127.0.0.1",
      "redis://user:secret@127.0.0.1:port",
    ]
  ) {
    const error = await assertRejects(
      () => RedisBackend.connect(url),
      TypeError,
    );
    tellsNoSecret(error);
  }
});

redisTest("bad_options_at_connect_leave_no_connection", async (redis) => {
  // The leak sanitizer finds a connection that stays open.
  await assertRejects(() => redis.connect({ prefix: "{" }), RangeError);
  await assertRejects(() => redis.connect({ maxRecordBytes: 0 }), RangeError);
});

redisTest("borrowed_client_stays_open", async (redis) => {
  const backend = new RedisBackend(redis.raw, { prefix: redis.prefix });
  await backend.put(KEY, "x", HOUR);
  for await (const { version } of backend.watch(KEY)) {
    assertEquals(version, 1);
    break;
  }
  await backend.close();
  await assertRejects(() => backend.get(KEY), BackendError, "closed");
  assert(redis.raw.isOpen);
  assertEquals(await redis.raw.exists(redis.record("alice", "t-1")), 1);
});

redisTest(
  "borrowed_client_that_is_closed_is_a_backend_error",
  async (redis) => {
    const client = await createClient({ url: redis.url }).connect();
    const backend = new RedisBackend(client, { prefix: redis.prefix });
    await backend.put(KEY, "x", HOUR);
    await client.close();
    const start = performance.now();
    for (
      const call of [
        () => backend.get(KEY),
        () => backend.put(KEY, "x", HOUR),
        () => backend.listByPrefix(PREFIX),
      ]
    ) {
      const error = await assertRejects(call, BackendError);
      assertEquals(error.outcome, "not_applied");
      assert(error.cause instanceof Error);
    }
    assert(performance.now() - start < 6000, "tried for long");
    await backend.close();
  },
);

redisTest("borrowed_client_serves_every_operation", async (redis) => {
  await using backend = new RedisBackend(redis.raw, { prefix: redis.prefix });
  await everyOperation(backend);
});

redisTest("backends_of_one_connection_close_independently", async (redis) => {
  const backend = await redis.connect();
  const other = backend.withPrefix(`${redis.prefix}:other`);
  await other.put(KEY, "x", HOUR);
  await other.close();
  await assertRejects(() => other.get(KEY), BackendError, "closed");
  assertEquals(await backend.put(KEY, "x", HOUR), 1);
  const third = backend.withPrefix(`${redis.prefix}:third`);
  await backend.close();
  // Its connection is gone.
  await assertRejects(() => third.get(KEY), BackendError, "closed");
  await third.close();
});

redisTest("close_while_calls_are_running_ends_them_all", async (redis) => {
  const backend = await redis.connect();
  await backend.put(KEY, "x", HOUR);
  const calls = Array.from(
    { length: 100 },
    (_, n) =>
      n % 2 === 0 ? backend.get(KEY) : backend.put(nthKey(n), "x", HOUR),
  );
  const closing = backend.close();
  const settled = await deadline("all calls", Promise.allSettled(calls));
  await deadline("the close", closing);
  for (const result of settled) {
    if (result.status === "rejected") {
      assert(result.reason instanceof BackendError, `${result.reason}`);
    }
  }
});

redisTest("concurrent_closes_are_one", async (redis) => {
  const backend = await redis.connect();
  await Promise.all([backend.close(), backend.close(), backend.close()]);
});

redisTest("flushed_scripts_are_loaded_again", async (redis) => {
  const backend = await redis.connect();
  await backend.put(KEY, "x", HOUR);
  const calls: (() => Promise<unknown>)[] = [
    () => backend.get(KEY),
    () => backend.put(KEY, "x", HOUR),
    () => backend.putIfVersion(KEY, "y", 2, HOUR),
    () => backend.create(nthKey(1), "x", { meta: HOUR }),
    () => backend.listByPrefix(PREFIX),
    () => backend.listPage(PREFIX),
    () => backend.delete(KEY),
    () => assertRejects(() => backend.get(KEY), NotFoundError),
  ];
  for (const call of calls) {
    await redis.raw.scriptFlush();
    await call();
  }
  // All at once: no NOSCRIPT may reach a caller.
  await redis.raw.scriptFlush();
  await Promise.all(
    Array.from({ length: 50 }, (_, n) => backend.put(nthKey(n), "x", HOUR)),
  );
  assertEquals((await backend.listByPrefix(PREFIX)).length, 50);
});

redisTest(
  "lease_is_that_of_the_call_where_scripts_were_flushed",
  async (redis) => {
    const backend = await redis.connect();
    const acquire = async (n: number) => {
      const lease = { holder: "first", forMs: 30_000 };
      const asked = backend.leases.acquire(nthKey(n), lease);
      Object.assign(lease, { holder: "second", forMs: NaN });
      await asked;
    };
    const create = async (n: number) => {
      const lease = { holder: "first", forMs: 30_000 };
      const options = { meta: { ...HOUR } };
      const asked = backend.leases.create(nthKey(n), "x", lease, options);
      Object.assign(lease, { holder: "second", forMs: NaN });
      options.meta.expiresAt = 1;
      await asked;
    };
    for (const n of [1, 2]) await backend.put(nthKey(n), "x", HOUR);
    // The server then knows the scripts, until it forgets them.
    await acquire(1);
    await create(3);
    await redis.raw.scriptFlush();
    await Promise.all([acquire(2), create(4)]);
    for (const n of [2, 4]) {
      const { lease } = await backend.get(nthKey(n));
      assertEquals(lease?.holder, "first");
      assert(lease!.remainingMs > 0);
    }
  },
);

redisTest("options_changed_after_connect_change_nothing", async (redis) => {
  const options = {
    prefix: redis.prefix,
    maxRecordBytes: 10,
    retry: { timeoutMs: 5000 },
    durability: { replicas: 1, timeoutMs: 1 },
  };
  const connecting = redis.connect(options);
  Object.assign(options, { prefix: "{", maxRecordBytes: -1 });
  options.retry.timeoutMs = options.durability.replicas = NaN;
  const backend = await connecting;
  const other = backend.withPrefix(`${redis.prefix}-other`);
  for (const one of [backend, other]) {
    await assertRejects(() => one.put(KEY, "x".repeat(11), HOUR));
    // No replica has it: it was waited for one.
    const error = await assertRejects(
      () => one.put(KEY, "x", HOUR),
      BackendError,
    );
    assertEquals(error.outcome, "applied");
    await one.delete(KEY).catch(() => {});
  }
  assertEquals(backend.prefix, redis.prefix);
});

redisTest("bad_input_sends_nothing", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  // Borrowed, so that no ping of ours is counted.
  const client = await createClient({ url: proxy.url }).connect();
  await using backend = new RedisBackend(client, {
    prefix: redis.prefix,
    maxRecordBytes: 10,
  });
  const before = proxy.roundTrips;
  for (
    const call of [
      () => backend.get("no colon"),
      () => backend.put("alice:", "x"),
      () => backend.put(KEY, "\ud800"),
      () => backend.put(KEY, "x".repeat(11)),
      () => backend.put(KEY, "x", { expiresAt: NaN }),
      () => backend.putIfVersion(KEY, "x", 0),
      () => backend.create(KEY, "x", { maxRecords: -1 }),
      () => backend.delete(":t-1"),
      () => backend.listByPrefix("alice"),
      () => backend.listPage(PREFIX, { cursor: "bad" }),
      () => backend.listPage(PREFIX, { limit: 0 }),
    ]
  ) {
    await assertRejects(call);
  }
  assertEquals(proxy.roundTrips, before);
  // The counter counts.
  await assertRejects(() => backend.get(KEY), NotFoundError);
  assert(proxy.roundTrips > before);
  client.destroy();
});

/** Neither the message nor a cause may hold the password. */
function tellsNoSecret(error: unknown): void {
  for (let at = error; at instanceof Error; at = at.cause) {
    assert(!`${at.message}${at.stack}`.includes("secret"), at.message);
  }
}
