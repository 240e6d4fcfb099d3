/**
 * `deno task bench`: what an operation costs, as a ratio to a floor measured
 * in the same run: a script that does nothing, on the same connection. On the
 * Redis at `REDIS_URL`, or a private one.
 *
 * @module
 */

import { createClient } from "redis";
import { makeKey, makePrefix, RedisBackend, TaskStore } from "../mod.ts";
import { startRedisServer } from "./lib/redis_server.ts";

const ROUNDS = 15;
const CALLS = 300;
const OWNERS = { few: 1_000, many: 100_000 };

const given = Deno.env.get("REDIS_URL");
await using server = given ? undefined : await startRedisServer();
const url = given || server!.url;
const raw = await createClient({ url }).connect();
const prefix = `mcp-bench-${crypto.randomUUID()}`;
await using backend = await RedisBackend.connect(url, { prefix });
const store = new TaskStore(backend, {
  limits: { maxTasksPerOwner: 10 ** 6 },
});
const meta = { expiresAt: Date.now() + 600_000 };
const data = JSON.stringify({ text: "x".repeat(500) });
const nothing = await raw.scriptLoad("return 1");

let fresh = 0;
const key = makeKey("alice", "t-1");
await backend.put(key, data, meta);
let held = await store.create("bob", "tools/call");
for (const [owner, count] of Object.entries(OWNERS)) await fill(owner, count);

const floor = "a script that does nothing";
await compare(`one call, ${CALLS} in a row`, CALLS, {
  [floor]: () => raw.evalSha(nothing, { keys: ["k"], arguments: [] }),
  get: () => backend.get(key),
  put: () => backend.put(key, data, meta),
  create: () =>
    backend.create(makeKey("carol", `t-${fresh++}`), data, { meta }),
  "TaskStore.get": () => store.get(held.task.taskId, "bob"),
  "TaskStore.setVariables of a record held": async () => {
    held = await store.setVariables(held, "bob", { n: fresh++ });
  },
});
await compare("the same 50 of few and of many", 10, {
  [`list 50 of ${OWNERS.few}`]: () => backend.listPage(makePrefix("few")),
  [`list 50 of ${OWNERS.many}`]: () => backend.listPage(makePrefix("many")),
});
await compare("one more for an owner of few and of many", 50, {
  [`create beside ${OWNERS.few}`]: () => createOne("few"),
  [`create beside ${OWNERS.many}`]: () => createOne("many"),
});

for await (
  const keys of raw.scanIterator({ MATCH: `${prefix}*`, COUNT: 1e4 })
) {
  if (keys.length > 0) await raw.unlink(keys);
}
await raw.close();

function createOne(owner: string): Promise<number> {
  return backend.create(makeKey(owner, `n-${fresh++}`), data, {
    meta,
    maxRecords: 10 ** 6,
  });
}

async function fill(owner: string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1000) {
    await Promise.all(
      Array.from(
        { length: 1000 },
        (_, j) => backend.create(makeKey(owner, `t-${i + j}`), data, { meta }),
      ),
    );
  }
}

/** Takes turns, so that a slow moment of the machine strikes all alike. */
async function compare(
  title: string,
  calls: number,
  steps: Record<string, () => Promise<unknown>>,
): Promise<void> {
  const times: Record<string, number[]> = {};
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, step] of Object.entries(steps)) {
      const start = performance.now();
      for (let i = 0; i < calls; i++) await step();
      // The first round warms up.
      if (round > 0) {
        (times[name] ??= []).push((performance.now() - start) / calls);
      }
    }
  }
  console.log(`\n${title} (median of ${ROUNDS} rounds)`);
  const base = median(Object.values(times)[0]!);
  for (const [name, values] of Object.entries(times)) {
    const ms = median(values);
    console.log(
      `  ${name.padEnd(42)} ${ms.toFixed(3)} ms   ${
        (ms / base).toFixed(2)
      } times the first`,
    );
  }
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
