/**
 * What reading the steps of a long run costs the server: many short scripts,
 * none of which looks at all of them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Monitor, type MonitoredCommand } from "../support/monitor.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { HOUR, KEY } from "../support/suite/env.ts";

/** Records steps, opens them, and returns what each script has run. */
async function scriptsOfOpen(
  redis: RedisFixture,
  count: number,
  data: string,
): Promise<MonitoredCommand[][]> {
  const backend = await redis.connect();
  const lease = { holder: "worker-1", forMs: 600_000 };
  const meta = { meta: HOUR };
  const { fence } = await backend.leases.create(KEY, "x", lease, meta);
  for (let n = 0; n < count; n += 1000) {
    await Promise.all(
      Array.from(
        { length: Math.min(1000, count - n) },
        (_, i) => backend.steps.record(KEY, fence, `step-${n + i}`, data),
      ),
    );
  }
  await using monitor = await Monitor.open(redis.url, redis.raw);
  const commands = await monitor.during(async () => {
    const steps = await backend.steps.open(KEY, fence);
    assertEquals(steps.size, count);
  });
  const scripts: MonitoredCommand[][] = [];
  let isOurs = false;
  for (const command of commands) {
    if (command.from !== "lua") {
      isOurs = command.words.some((word) => word.startsWith(redis.prefix));
      if (isOurs) scripts.push([]);
    } else if (isOurs) scripts.at(-1)!.push(command);
  }
  return scripts;
}

redisTest(
  "steps_of_a_long_run_are_read_by_scripts_of_bounded_work",
  async (redis) => {
    const scripts = await scriptsOfOpen(redis, 5000, "x");
    for (const ran of scripts) {
      // Each asks for the fields it names, and never for all there are.
      for (const { words } of ran) {
        assert(/^(TIME|HM?GET)$/.test(words[0]!.toUpperCase()), `${words}`);
      }
      const fields = ran.flatMap(({ words }) => words.slice(2));
      assert(fields.length <= 510, `${fields.length} fields in one script`);
    }
    // No more scripts than that takes.
    assert(scripts.length <= 21, `${scripts.length} scripts`);
  },
);

redisTest(
  "large_steps_are_read_by_scripts_of_bounded_answers",
  async (redis) => {
    const data = "x".repeat(50_000);
    const scripts = await scriptsOfOpen(redis, 60, data);
    for (const ran of scripts) {
      const read = ran.filter(({ words }) =>
        words[0]!.toUpperCase() === "HGET"
      );
      assert(
        read.length * data.length <= 350_000,
        `${read.length} large steps`,
      );
    }
    assert(scripts.length <= 12, `${scripts.length} scripts`);
  },
);

redisTest("record_of_a_long_run_is_freed_in_the_background", async (redis) => {
  const backend = await redis.connect();
  await using monitor = await Monitor.open(redis.url, redis.raw);
  const ends = [
    () => backend.delete(KEY),
    () => backend.put(KEY, "late", { expiresAt: 1 }),
    // Without what the shortest deletion needs.
    () => redis.raw.hDel(redis.record("alice", "t-1"), "ops"),
  ];
  for (const [n, end] of ends.entries()) {
    await backend.create(KEY, "x", { meta: HOUR });
    const commands = await monitor.during(async () => {
      await end();
      await backend.delete(KEY);
    });
    const ran = commands
      .filter(({ words }) => words[1] === redis.record("alice", "t-1"))
      .map(({ words }) => words[0]!.toUpperCase());
    assert(ran.includes("UNLINK") && !ran.includes("DEL"), `${n}: ${ran}`);
  }
});
