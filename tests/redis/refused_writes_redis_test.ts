/**
 * Writes that the server refuses at their first command, its memory full or its
 * replicas missing: nothing is stored and nothing is announced.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { BackendError, RedisBackend } from "../../mod.ts";
import { DEBUGGABLE, serverTest, snapshot } from "../support/own_server.ts";
import type { RawClient } from "../support/redis_fixture.ts";
import { HOUR, KEY, nthKey } from "../support/suite/env.ts";
import { deadline, waitUntil } from "../support/wait.ts";

const META = { ...HOUR, createdAt: 1_700_000_000_000 };
const ACTIVE = { ...META, active: true };
/** What is known of a record that no write here moves: no index is touched. */
const UNMOVED = { ...META, active: false };
const CHANNEL = "mcp:events:{alice}:*";

/** Refuses every first write of a script, and no longer. */
const REFUSALS = {
  full_memory: { option: "maxmemory", on: "1", off: "0" },
  missing_replicas: { option: "min-replicas-to-write", on: "1", off: "0" },
} as const;

serverTest("full_memory_stores_and_announces_nothing", async (server, raw) => {
  await using backend = await RedisBackend.connect(server.url);
  await backend.put(KEY, "x", ACTIVE);
  const { fence } = await backend.leases.create(
    nthKey(2),
    "x",
    { holder: "worker-1", forMs: 3600_000 },
    { meta: ACTIVE },
  );
  // So that the number of sets is not what is refused.
  await backend.due.offer(nthKey(3), "queue", 1, META);
  const read = await backend.get(KEY);
  // What creations drop goes first, and needs no memory.
  const published = await listen(raw);
  await raw.configSet("maxmemory", "1");
  const before = await snapshot(raw);
  const lease = { holder: "worker-2", forMs: 1000 };
  for (
    const write of [
      () => backend.put(KEY, "y", ACTIVE),
      () => backend.put(KEY, "y", { ...ACTIVE, expiresAt: META.expiresAt + 1 }),
      () => backend.put(nthKey(9), "y", META),
      () => backend.putIfVersion(KEY, "y", 1, ACTIVE),
      () => backend.putIfVersion(KEY, "y", read, ACTIVE),
      () => backend.putIfVersion(nthKey(2), "y", 1, { ...ACTIVE, fence }),
      () => backend.create(nthKey(9), "y", { meta: ACTIVE, maxRecords: 9 }),
      () => backend.create(nthKey(9), "y", { meta: HOUR, maxActive: 9 }),
      () => backend.create(nthKey(9), "y"),
      () => backend.leases.create(nthKey(9), "y", lease, { meta: META }),
      () => backend.leases.acquire(KEY, lease),
      () => backend.leases.renew(nthKey(2), fence, 1000),
      () => backend.leases.release(nthKey(2), fence),
      () => backend.steps.record(nthKey(2), fence, "step", "y"),
      () => backend.due.offer(nthKey(4), "queue", 1, META),
      () => backend.queues!.push(KEY, "y"),
    ]
  ) {
    const error = await assertRejects(write, BackendError, "OOM", `${write}`);
    assertEquals(error.outcome, "not_applied");
    assertEquals(await snapshot(raw), before, `${write}`);
  }
  // What frees memory is always possible: then it is done, and is announced.
  assertEquals(await backend.putIfVersion(KEY, "y", read, META), 2);
  assertEquals(await backend.put(nthKey(2), "y", { expiresAt: 1 }), 2);
  assertEquals(await backend.delete(KEY), true);
  await published.until(["2", "0", "0"]);
  published.end();
}, { args: DEBUGGABLE });

for (const [name, { option, on, off }] of Object.entries(REFUSALS)) {
  for (const by of ["put", "version", "etag"] as const) {
    serverTest(
      `${name}_at_a_${by}_does_not_end_a_watch`,
      async (server, raw) => {
        await using backend = await RedisBackend.connect(server.url);
        await using watcher = await RedisBackend.connect(server.url);
        await backend.put(KEY, "1", META);
        const read = await backend.get(KEY);
        const expected = by === "version" ? 1 : { ...read, meta: UNMOVED };
        const write = () =>
          by === "put"
            ? backend.put(KEY, "2", META)
            : backend.putIfVersion(KEY, "2", expected, META);
        const seen: number[] = [];
        const watching = (async () => {
          for await (const { version } of watcher.watch(KEY)) {
            seen.push(version);
            if (version === 3) return "left";
          }
          return "ended";
        })();
        watching.catch(() => {});
        await waitUntil("the watch begun", () => seen.length === 1);
        const published = await listen(raw);
        await raw.configSet(option, on);
        const refused = write().then(() => true, () => false);
        // Missing replicas are waited for, within the time of the write.
        if (name === "full_memory") assertEquals(await refused, false);
        else await refusals(raw, "NOREPLICAS", 3);
        assertEquals(published.heard, []);
        await raw.configSet(option, off);
        if (name === "full_memory") assertEquals(await write(), 2);
        else assertEquals(await refused, true);
        await waitUntil("the write seen", () => seen.length === 2);
        assertEquals(await backend.put(KEY, "3", META), 3);
        assertEquals(await deadline("the watch", watching), "left");
        assertEquals(seen, [1, 2, 3]);
        await published.until(["2", "3"]);
        published.end();
      },
    );
  }
}

/** Waits until the server has refused commands so often with a code. */
async function refusals(raw: RawClient, code: string, count: number) {
  await waitUntil(`${count} refusals`, async () => {
    const stats = await raw.info("errorstats");
    const found = new RegExp(`errorstat_${code}:count=(\\d+)`).exec(stats)?.[1];
    return Number(found ?? 0) >= count;
  });
}

/** What is published for the records of alice. */
async function listen(raw: RawClient) {
  const heard: string[] = [];
  const subscriber = await raw.duplicate().connect();
  for (const n of ["t-1", ...[2, 3, 9].map((n) => `t-000${n}`)]) {
    await subscriber.sSubscribe(
      CHANNEL.replace("*", n),
      (message) => heard.push(message),
    );
  }
  return {
    heard,
    until: async (wanted: string[]) => {
      await waitUntil("the events", () => heard.length >= wanted.length);
      assertEquals(heard, wanted);
    },
    end: () => subscriber.destroy(),
  };
}
