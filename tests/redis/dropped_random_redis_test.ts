/**
 * Connections cut at random points, many times over, with others writing
 * meanwhile: what callers were told must agree with what is stored.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { VersionConflictError } from "../../mod.ts";
import { HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";
import { assertIndexesMatch } from "../support/own_server.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { CUTS, isScript, TcpProxy } from "../support/proxy.ts";

redisTest(
  "random_cuts_never_lose_or_repeat_a_lone_writers_swap",
  async (redis) => {
    await using proxy = flaky(redis, 0.5);
    const backend = await redis.connect(PATIENT, proxy.url);
    const direct = await redis.connect();
    await direct.put(KEY, "0", HOUR);
    for (let version = 1; version <= 60; version++) {
      const data = `${version} ${"x".repeat(version * 50)}`;
      const written = await backend.putIfVersion(KEY, data, version, HOUR);
      assertEquals(written, version + 1);
      const found = await direct.get(KEY);
      assertEquals([found.data, found.version], [data, version + 1]);
    }
    assert(proxy.cuts > 20, `only ${proxy.cuts} cuts`);
    await redis.close();
  },
);

redisTest(
  "random_cuts_never_let_two_writers_win_one_version",
  async (redis) => {
    await using proxy = flaky(redis, 0.3);
    const direct = await redis.connect();
    await direct.put(KEY, "start", HOUR);
    const won = new Map<number, string>();
    const stood = new Map<number, string>();
    let conflicts = 0;
    const writers = Array.from({ length: 4 }, async (_, w) => {
      const backend = await redis.connect(PATIENT, proxy.url);
      for (let i = 0; i < 60; i++) {
        const { version } = await backend.get(KEY);
        const data = `writer ${w}, write ${i}`;
        try {
          const written = await backend.putIfVersion(KEY, data, version, HOUR);
          assertEquals(written, version + 1);
          assert(!won.has(written), `version ${written} was won twice`);
          won.set(written, data);
        } catch (error) {
          if (!(error instanceof VersionConflictError)) throw error;
          assert(error.actual > version, "a conflict nobody else caused");
          conflicts++;
        }
        const now = await direct.get(KEY);
        stood.set(now.version, now.data);
      }
    });
    await Promise.all(writers);
    // A writer that was told that it won has written what was at that version.
    for (const [version, data] of stood) {
      if (won.has(version)) assertEquals(won.get(version), data);
    }
    assert(won.size > 20 && conflicts > 0, `${won.size} / ${conflicts}`);
    assert(proxy.cuts > 20, `only ${proxy.cuts} cuts`);
    await redis.close();
  },
);

redisTest("random_cuts_let_one_creator_of_each_record_win", async (redis) => {
  await using proxy = flaky(redis, 0.3);
  const backends = await Promise.all(
    [1, 2, 3].map(() => redis.connect(PATIENT, proxy.url)),
  );
  const direct = await redis.connect();
  for (let n = 0; n < 60; n++) {
    const tried = await Promise.allSettled(
      backends.map((backend, w) =>
        backend.create(nthKey(n), `by ${w}`, { meta: HOUR, maxRecords: n + 1 })
      ),
    );
    const winners = tried.flatMap(({ status }, w) =>
      status === "fulfilled" ? [`by ${w}`] : []
    );
    for (const result of tried) {
      if (result.status === "rejected") {
        assert(
          result.reason instanceof VersionConflictError,
          `${result.reason}`,
        );
      }
    }
    assertEquals(winners, [(await direct.get(nthKey(n))).data]);
  }
  assertEquals((await direct.listByPrefix(PREFIX)).length, 60);
  assert(proxy.cuts > 20, `only ${proxy.cuts} cuts`);
  await redis.close();
});

redisTest("random_cuts_leave_every_record_in_its_indexes", async (redis) => {
  await using proxy = flaky(redis, 0.3);
  const backends = await Promise.all(
    [1, 2, 3, 4].map(() => redis.connect(PATIENT, proxy.url)),
  );
  await Promise.all(backends.map(async (backend, w) => {
    for (let i = 0; i < 60; i++) {
      const key = nthKey((i * 7 + w * 3) % 20);
      const meta = i % 5 === 0 ? {} : HOUR;
      if (i % 4 === 0) await backend.delete(key);
      else await backend.put(key, `${w}/${i}`, meta);
    }
  }));
  assert(proxy.cuts > 20, `only ${proxy.cuts} cuts`);
  await assertIndexesMatch(redis.raw, "after random cuts", redis.prefix);
  const direct = await redis.connect();
  const { length } = await direct.listByPrefix(PREFIX);
  assert(length > 0);
  for (const { key } of await direct.listByPrefix(PREFIX)) {
    await direct.delete(key);
  }
  assertEquals(await redis.keysBut("gone"), []);
  await redis.close();
});

const PATIENT = { retry: { timeoutMs: 30_000 } };

/** A proxy that cuts scripts by chance, but lets a backend connect. */
function flaky(redis: RedisFixture, chance: number): TcpProxy {
  const proxy = new TcpProxy(redis.url);
  proxy.fault = (request) => {
    if (!isScript(request) || Math.random() > chance) return undefined;
    const cut = CUTS[Math.floor(Math.random() * CUTS.length)]!;
    return { cut };
  };
  return proxy;
}
