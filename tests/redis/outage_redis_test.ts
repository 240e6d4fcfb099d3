/**
 * A server that stays away, or silent: every call ends within its time and
 * says what became of it.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { BackendError } from "../../mod.ts";
import { HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";
import { redisTest } from "../support/redis_fixture.ts";
import { TcpProxy } from "../support/proxy.ts";
import { deadline, waitUntil } from "../support/wait.ts";

/**
 * A bound that a loaded machine keeps, and that fails if a call runs into the
 * default of ten seconds instead of its own limit.
 */
const WELL_BEFORE_DEFAULT_MS = 6000;

for (const mode of ["down", "silent"] as const) {
  redisTest(
    `server_${mode}_is_a_backend_error_within_the_time`,
    async (redis) => {
      await using proxy = new TcpProxy(redis.url);
      const backend = await redis.connect(
        { retry: { timeoutMs: 400 } },
        proxy.url,
      );
      await backend.put(KEY, "x", HOUR);
      proxy.mode = mode;
      proxy.cutAll();
      const calls = {
        get: () => backend.get(KEY),
        put: () => backend.put(KEY, "y", HOUR),
        putIfVersion: () => backend.putIfVersion(KEY, "y", 1, HOUR),
        create: () => backend.create(nthKey(2), "y", { meta: HOUR }),
        delete: () => backend.delete(KEY),
        listByPrefix: () => backend.listByPrefix(PREFIX),
        listPage: () => backend.listPage(PREFIX),
      };
      for (const [name, call] of Object.entries(calls)) {
        const start = performance.now();
        const error = await assertRejects(call, BackendError);
        const tookMs = performance.now() - start;
        assert(tookMs < WELL_BEFORE_DEFAULT_MS, `${name} took ${tookMs} ms`);
        assert(error.cause instanceof Error, `${name} without a cause`);
      }
      // Nothing that was refused is executed later, when the server is back.
      proxy.mode = "up";
      proxy.cutAll();
      const back = await redis.connect();
      assertEquals((await back.get(KEY)).version, 1);
      const found = await waitUntil(
        "the connection is back",
        () => backend.get(KEY).catch(() => undefined),
      );
      assertEquals([found?.data, found?.version], ["x", 1]);
      assertEquals((await back.listByPrefix(PREFIX)).length, 1);
    },
  );
}

redisTest(
  "silent_connection_is_a_backend_error_within_the_time",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const backend = await redis.connect(
      { retry: { timeoutMs: 300 } },
      proxy.url,
    );
    await backend.put(KEY, "x", HOUR);
    // Connected, but the answers never come.
    const release = withholdReplies(proxy);
    try {
      const start = performance.now();
      const error = await assertRejects(
        () => backend.putIfVersion(KEY, "y", 1, HOUR),
        BackendError,
      );
      assertEquals(error.outcome, "unknown");
      assert(performance.now() - start < WELL_BEFORE_DEFAULT_MS);
    } finally {
      release();
    }
  },
);

redisTest("close_ends_although_an_answer_is_owed", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  const backend = await redis.connect({}, proxy.url);
  const release = withholdReplies(proxy);
  try {
    const owed = backend.put(KEY, "x", HOUR).catch((error) => error);
    await waitUntil("the command on its way", () => proxy.cuts === 1);
    await deadline("the backend closed", backend.close(), 5000);
    const error = await deadline("the call told", owed, 5000);
    assert(error instanceof BackendError);
    assertEquals(error.outcome, "unknown");
  } finally {
    release();
  }
});

redisTest("no_server_at_connect_is_a_backend_error_at_once", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  proxy.mode = "down";
  const start = performance.now();
  await assertRejects(() => redis.connect({}, proxy.url), BackendError);
  assert(performance.now() - start < WELL_BEFORE_DEFAULT_MS);
});

redisTest("watch_outlives_a_dropped_connection", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  const backend = await redis.connect({}, proxy.url);
  const direct = await redis.connect();
  await direct.put(KEY, "1", HOUR);
  const seen: number[] = [];
  const start = performance.now();
  for await (const { version } of backend.watch(KEY)) {
    seen.push(version);
    if (version === 1) {
      proxy.cutAll();
      // No watch receives this event: it falls into the gap.
      await direct.put(KEY, "2", HOUR);
    } else if (version === 2) await direct.put(KEY, "3", HOUR);
    else await direct.delete(KEY);
  }
  assertEquals(seen, [1, 2, 3]);
  // Long before the safety re-read: reconnecting itself makes it look again.
  assert(performance.now() - start < 20_000);
});

redisTest("watch_sees_by_its_re_read_what_had_no_event", async (redis) => {
  const backend = await redis.connect({ watchRefreshMs: 100 });
  await backend.put(KEY, "1", HOUR);
  const record = redis.record("alice", "t-1");
  const seen: string[] = [];
  const watching = async () => {
    for await (const { data, version } of backend.watch(KEY)) {
      seen.push(data);
      // As another program might, that knows nothing of events.
      if (version === 1) {
        await redis.raw.hSet(record, { version: "2", data: "2" });
      } else await redis.raw.del(record);
    }
  };
  await deadline("the end of the watch", watching());
  assertEquals(seen, ["1", "2"]);
});

/** Lets requests through and holds every answer; returns how to let go. */
function withholdReplies(proxy: TcpProxy): () => void {
  const { promise: silence, resolve } = Promise.withResolvers<void>();
  proxy.fault = () => ({ cut: "before reply", meanwhile: () => silence });
  return resolve;
}
