/**
 * The trace of operation ids as it grows, spills, ages and is cut: for how long
 * a write that comes a second time is known, and what is said where it is not.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { BackendError } from "../../mod.ts";
import { HOUR, KEY } from "../support/suite/env.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { TcpProxy } from "../support/proxy.ts";
import { ageTrace, midSpan } from "../support/span.ts";

const META = { ...HOUR, createdAt: 1_700_000_000_000 };

redisTest(
  "sixty_writes_spill_and_an_early_one_is_recognized",
  async (redis) => {
    const backend = await redis.connect();
    await backend.create(KEY, "1", { meta: named("created-1") });
    const read = await backend.get(KEY);
    assertEquals(
      await backend.putIfVersion(KEY, "2", read, named("swapped-2")),
      2,
    );
    assertEquals(await backend.put(KEY, "3", named("written-3")), 3);
    assertEquals(await fields(redis), ["data", "expires_at", "ops", "version"]);
    for (let version = 4; version <= 63; version++) {
      assertEquals(await backend.put(KEY, `${version}`, META), version);
    }
    assertEquals(
      await fields(redis),
      ["data", "expires_at", "log", "ops", "version"],
    );
    // No update reads and writes more than a bound, however hot the record is.
    assert((await field(redis, "ops")).length < 600);
    // Repeated, however long after: each says what it made, and writes nothing.
    assertEquals(await backend.put(KEY, "3", named("written-3")), 3);
    assertEquals(
      await backend.putIfVersion(KEY, "2", 1, named("swapped-2")),
      2,
    );
    assertEquals(
      await backend.create(KEY, "1", { meta: named("created-1") }),
      1,
    );
    const { data, version, etag } = await backend.get(KEY);
    assertEquals([data, version], ["63", 63]);
    // The common writes go on beside a log.
    assertEquals(
      await backend.putIfVersion(KEY, "64", { version, etag }, META),
      64,
    );
    assertEquals(await backend.put(KEY, "3", named("written-3")), 3);
    // The trace outlives the record, in `gone` and in its next life.
    await backend.delete(KEY);
    assertEquals(await backend.put(KEY, "3", named("written-3")), 3);
    assertEquals(await backend.create(KEY, "new", { meta: META }), 1);
    assertEquals(await backend.put(KEY, "3", named("written-3")), 3);
    assertEquals((await backend.get(KEY)).data, "new");
  },
);

for (const by of ["put", "version", "etag"] as const) {
  redisTest(`entries_age_at_writes_by_${by}`, async (redis) => {
    await midSpan(redis.raw);
    const backend = await redis.connect();
    const write = async (operationId: string) => {
      const { version, etag } = await backend.get(KEY);
      const meta = named(operationId);
      await (by === "put"
        ? backend.put(KEY, operationId, meta)
        : backend.putIfVersion(
          KEY,
          operationId,
          by === "etag" ? { version, etag } : version,
          meta,
        ));
      return await traceOf(redis);
    };
    await backend.create(KEY, "x", { meta: named("created-1") });
    assertEquals(await write("written-2"), "2.written-2 1.created-1 ~");
    await ageTrace(redis.raw, redis.record("alice", "t-1"), 1);
    // Of the span before: still known.
    assertEquals(
      await write("written-3"),
      "3.written-3 ~2.written-2 1.created-1 ",
    );
    assertEquals(await backend.put(KEY, "again", named("written-2")), 2);
    await ageTrace(redis.raw, redis.record("alice", "t-1"), 1);
    // Two spans old: dropped.
    assertEquals(await write("written-4"), "4.written-4 ~3.written-3 ");
    await ageTrace(redis.raw, redis.record("alice", "t-1"), 2);
    assertEquals(await write("written-5"), "5.written-5 ~");
    assertEquals(await backend.put(KEY, "once more", named("written-2")), 6);
  });
}

redisTest("entries_of_a_log_age_too", async (redis) => {
  await midSpan(redis.raw);
  const backend = await redis.connect();
  for (let n = 1; n <= 60; n++) {
    await backend.put(KEY, "x", named(`write-${n}-id`));
  }
  await ageTrace(redis.raw, redis.record("alice", "t-1"), 1);
  await backend.put(KEY, "x", META);
  assertEquals(await backend.put(KEY, "x", named("write-1-id")), 1);
  await ageTrace(redis.raw, redis.record("alice", "t-1"), 1);
  await backend.put(KEY, "x", META);
  assertEquals(await backend.put(KEY, "x", named("write-1-id")), 63);
  // And with the last of them the log is gone.
  await ageTrace(redis.raw, redis.record("alice", "t-1"), 2);
  await backend.put(KEY, "x", META);
  assertEquals(await fields(redis), ["data", "expires_at", "ops", "version"]);
});

redisTest("trace_that_was_cut_makes_retries_unknown", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  const backend = await redis.connect();
  const cut = await redis.connect({}, proxy.url);
  await cut.put(KEY, "0", named("earliest"));
  let writes = 1;
  while (!(await log(redis)).includes("!")) {
    await backend.put(KEY, `${++writes}`, named(`${writes}`.padStart(64, "0")));
    assert(writes < 400, "never cut");
  }
  // Bounded, and with the mark that says so.
  const logged = await log(redis);
  assert(logged.length < 8200, `${logged.length} bytes`);
  assertMatch(logged, /^\d{10}\|[^!]*!?~[^!]*!?$/);
  const { version } = await backend.get(KEY);

  for (
    const write of [
      () => cut.put(KEY, "late", META),
      () => cut.putIfVersion(KEY, "late", version, META),
      () => cut.delete(KEY),
      () => cut.create(KEY, "late", { meta: META }),
    ]
  ) {
    // Never executed, but that can no longer be known.
    proxy.cutNext("before request");
    const error = await assertRejects(write, BackendError);
    assertEquals(error.outcome, "unknown", `${write}`);
    assertEquals((await backend.get(KEY)).version, version, `${write}`);
  }
  // What is still in the trace is known, and what names its very predecessor.
  proxy.cutNext("before reply");
  assertEquals(await cut.put(KEY, "known", META), version + 1);
  const read = await backend.get(KEY);
  proxy.cutNext("before request");
  assertEquals(await cut.putIfVersion(KEY, "exact", read, META), version + 2);
  // First tries are not concerned.
  assertEquals(await cut.put(KEY, "first", META), version + 3);
});

/** The options of a write with a name. */
function named(operationId: string) {
  return { ...META, operationId: operationId.padEnd(8, "-") };
}

async function field(redis: RedisFixture, name: string): Promise<string> {
  return await redis.raw.hGet(redis.record("alice", "t-1"), name) ?? "";
}

async function fields(redis: RedisFixture): Promise<string[]> {
  return (await redis.raw.hKeys(redis.record("alice", "t-1"))).sort();
}

function log(redis: RedisFixture): Promise<string> {
  return field(redis, "log");
}

/** The entries in the field `ops`. */
async function traceOf(redis: RedisFixture): Promise<string> {
  const ops = await field(redis, "ops");
  assertMatch(ops, /^[01]\|[\d.]*\|\d*\|.*\d{10}$/);
  return ops.split("|")[3]!.slice(0, -10);
}
