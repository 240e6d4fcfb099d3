/**
 * A page and a creation cost the same, however many tasks their owner has.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { makePrefix, TaskStore } from "../../mod.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { recordJson } from "./suite/env.ts";

const FEW = 1000;
const MANY = 100_000;
const ROUNDS = 150;
const MOST = 1.5;

/** Writes tasks `from` to `to` of an owner as `create` would, in one step. */
const FILL = `
local data, from, to = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local created, expires = tonumber(ARGV[4]), tonumber(ARGV[5])
for n = from, to do
  local task = string.format('00000000-0000-4000-8000-%012d', n)
  local record = KEYS[1] .. task
  redis.call('HSET', record, 'version', '1', 'expires_at', math.ceil(expires / 1000),
    'data', (string.gsub(data, '<task>', task)))
  redis.call('PEXPIREAT', record, expires)
  redis.call('ZADD', KEYS[2], created + n, task)
  redis.call('ZADD', KEYS[3], expires, task)
end
redis.call('PEXPIREAT', KEYS[2], expires)
redis.call('PEXPIREAT', KEYS[3], expires)
`;

redisTest(
  "task_list_and_create_cost_the_same_for_a_large_owner",
  async (redis) => {
    const store = new TaskStore(await redis.connect(), {
      limits: { maxTasksPerOwner: 2 * MANY },
    });
    await fill(redis, "few", FEW);
    await fill(redis, "many", MANY);
    try {
      const operations: Record<string, (owner: string) => Promise<unknown>> = {
        list: async (owner) => {
          const { tasks } = await store.list(owner, { limit: 50 });
          assertEquals(tasks.length, 50);
        },
        create: async (owner) => {
          const { task } = await store.create(owner, "tools/call");
          // Kept out of the measure, so that "few" stay few.
          return () => store.delete(task.taskId, owner);
        },
      };
      for (const [name, operation] of Object.entries(operations)) {
        const { wall, server } = await compare(redis, operation);
        console.log(
          `${name}: ${MANY} tasks cost ${
            wall.toFixed(2)
          } times ${FEW} for the caller, ${
            server.toFixed(2)
          } times for the server`,
        );
        // The server's own count of microseconds is what does not depend on
        // who else is using this machine.
        assert(server <= MOST, `${name}: ${server} times for the server`);
        assert(wall <= MOST, `${name}: ${wall} times for the caller`);
      }
    } finally {
      await empty(redis);
    }
  },
);

/** How many times as much the operation costs with many tasks as with few. */
async function compare(
  redis: RedisFixture,
  operation: (owner: string) => Promise<unknown>,
): Promise<{ wall: number; server: number }> {
  const wall = { few: [] as number[], many: [] as number[] };
  const server = { few: [] as number[], many: [] as number[] };
  // In turns: whatever slows the machine down slows both.
  for (let round = -20; round < ROUNDS; round++) {
    for (const owner of ["few", "many"] as const) {
      const usecBefore = await scriptUsec(redis);
      const startMs = performance.now();
      const after = await operation(owner);
      const tookMs = performance.now() - startMs;
      const usec = await scriptUsec(redis) - usecBefore;
      if (typeof after === "function") await after();
      if (round < 0) continue;
      wall[owner].push(tookMs);
      server[owner].push(usec);
    }
  }
  return {
    wall: median(wall.many) / median(wall.few),
    server: median(server.many) / median(server.few),
  };
}

/** The microseconds the server has spent in scripts. */
async function scriptUsec(redis: RedisFixture): Promise<number> {
  const info = await redis.raw.info("commandstats");
  return Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(info)?.[1] ?? 0);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

async function fill(
  redis: RedisFixture,
  owner: string,
  count: number,
): Promise<void> {
  assertEquals(makePrefix(owner), `${owner}:`);
  const expires = Date.now() + 600_000;
  const created = Date.now() - 2 * MANY;
  const data = JSON.stringify(recordJson("<task>", { ownerId: owner }));
  const step = 5000;
  for (let from = 1; from <= count; from += step) {
    const to = Math.min(from + step - 1, count);
    await redis.raw.eval(FILL, {
      keys: [
        redis.record(owner, ""),
        redis.created(owner),
        redis.expiries(owner),
      ],
      arguments: [data, `${from}`, `${to}`, `${created}`, `${expires}`],
    });
  }
}

/** A hundred thousand keys go faster here than one by one. */
async function empty(redis: RedisFixture): Promise<void> {
  const keys = await redis.keys();
  for (let from = 0; from < keys.length; from += 5000) {
    await redis.raw.unlink(keys.slice(from, from + 5000));
  }
}
