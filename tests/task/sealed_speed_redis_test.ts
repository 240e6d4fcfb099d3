/**
 * The cost of encryption (EVIDENCE S): CPU time of the client, as a ratio of
 * two stores on one backend, measured in turns.
 *
 * @module
 */

import { assert } from "@std/assert";
import { cpuUsage } from "node:process";
import { type TaskRecord, TaskStore } from "../../mod.ts";
import { redisTest } from "../support/redis_fixture.ts";

const ROUNDS = 9;
const GETS = 512;
const IN_FLIGHT = 16;
const encryption = { keys: [new Uint8Array(32).fill(1)] };

/** A result of a little over 16 KiB. */
const RESULT = Array.from({ length: 170 }, (_, id) => ({
  id,
  name: `row ${id}`,
  text: "lorem ipsum dolor sit amet ".repeat(3).slice(0, 60),
}));

redisTest("s_sealed_get_of_16_kib_costs_at_most_half_more", async (redis) => {
  assert(JSON.stringify(RESULT).length > 16 * 1024);
  const backend = await redis.connect();
  const plain = new TaskStore(backend);
  const sealed = new TaskStore(backend, { encryption });
  const open = await withResult(plain);
  const closed = await withResult(sealed);
  const ratio = await medianRatio(
    () => read(sealed, [closed]),
    () => read(plain, [open]),
  );
  assert(ratio <= 1.5, `${ratio.toFixed(2)} times: expected at most 1.5`);
});

// AES-256-GCM alone takes half of what a plain get does: 2.1 were measured.
redisTest(
  "s_first_sealed_get_of_16_kib_costs_at_most_3_times",
  async (redis) => {
    const backend = await redis.connect();
    const plain = new TaskStore(backend);
    const sealed = new TaskStore(backend, { encryption });
    const open: TaskRecord[] = [];
    const closed: TaskRecord[] = [];
    for (let n = 0; n < 64; n++) {
      open.push(await withResult(plain));
      closed.push(await withResult(sealed));
    }
    const ratio = await medianRatio(async () => {
      // A store that has opened none of them yet.
      for (let n = 0; n < GETS; n += closed.length) {
        const reader = new TaskStore(backend, { encryption });
        await read(reader, closed, closed.length);
      }
    }, () => read(plain, open));
    assert(ratio <= 3, `${ratio.toFixed(2)} times: expected at most 3`);
  },
);

async function withResult(store: TaskStore): Promise<TaskRecord> {
  const record = await store.create("alice", "tools/call");
  return await store.completeWithResult(record, "alice", RESULT);
}

/** Reads tasks in turn, some at a time. */
async function read(
  store: TaskStore,
  records: readonly TaskRecord[],
  gets = GETS,
): Promise<void> {
  for (let n = 0; n < gets; n += IN_FLIGHT) {
    await Promise.all(Array.from({ length: IN_FLIGHT }, (_, i) => {
      const { task, ownerId } = records[(n + i) % records.length]!;
      return store.get(task.taskId, ownerId);
    }));
  }
}

/** The ratio of two CPU times of this process, of several rounds the median. */
async function medianRatio(
  one: () => Promise<void>,
  other: () => Promise<void>,
): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const base = await cpuOf(other);
    ratios.push(await cpuOf(one) / base);
  }
  return ratios.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

async function cpuOf(call: () => Promise<void>): Promise<number> {
  const before = cpuUsage();
  await call();
  const { user, system } = cpuUsage(before);
  return user + system;
}
