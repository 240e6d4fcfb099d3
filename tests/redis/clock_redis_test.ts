/**
 * Clocks of instances that are wrong: what is stored is judged by the server's
 * clock, and waits do not become loops.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { createClient } from "redis";
import { RedisBackend } from "../../mod.ts";
import { isScript, TcpProxy } from "../support/proxy.ts";
import { redisTest } from "../support/redis_fixture.ts";
import { ageTrace, midSpan } from "../support/span.ts";
import { HOUR, KEY } from "../support/suite/env.ts";
import { waitUntil } from "../support/wait.ts";

const META = { ...HOUR, createdAt: 1_700_000_000_000, active: true };

redisTest(
  "update_of_an_instance_whose_clock_is_behind_is_recognized",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const direct = await redis.connect();
    const client = createClient({ url: proxy.url });
    client.on("error", () => {});
    await client.connect();
    // It has not asked the server for its time yet.
    await using borrowed = new RedisBackend(client, { prefix: redis.prefix });
    await midSpan(redis.raw);
    await direct.put(KEY, "one", META);
    await ageTrace(redis.raw, redis.record("alice", "t-1"), 2);
    const read = { ...await direct.get(KEY), meta: META };
    proxy.cutNext(
      "before reply",
      () => direct.put(KEY, "theirs", META),
      (request) => isScript(request) && request.includes("mine"),
    );
    const now = Date.now;
    Date.now = () => now() - 70_000;
    try {
      assertEquals(await borrowed.putIfVersion(KEY, "mine", read, META), 2);
    } finally {
      Date.now = now;
    }
    assertEquals((await direct.get(KEY)).version, 3);
    await borrowed.close();
    client.destroy();
  },
);

redisTest(
  "watch_of_an_instance_whose_clock_is_ahead_does_not_read_in_a_loop",
  async (redis) => {
    const writer = await redis.connect();
    await writer.put(KEY, "x", HOUR);
    const now = Date.now;
    Date.now = () => now() + 7_200_000;
    try {
      // It only reads.
      await using borrowed = new RedisBackend(redis.raw, {
        prefix: redis.prefix,
      });
      const reads = async () => {
        const stats = String(await redis.raw.info("commandstats"));
        return Number(/cmdstat_hmget:calls=(\d+)/.exec(stats)?.[1] ?? 0);
      };
      const watch = borrowed.watch(KEY)[Symbol.asyncIterator]();
      await watch.next();
      const before = await reads();
      const endMs = now() + 500;
      await waitUntil("half a second", () => now() > endMs, { everyMs: 50 });
      const more = await reads() - before;
      await watch.return!();
      assert(more < 10, `${more} reads`);
    } finally {
      Date.now = now;
    }
  },
);
