/**
 * The same random operation sequences on Redis and in memory: their answers
 * must be equal, values and errors alike.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { MemoryBackend } from "../../mod.ts";
import { deleteAll, type FullBackend } from "../support/suite/env.ts";
import { type Operation, operations } from "../support/property/operations.ts";
import { Session } from "../support/property/session.ts";
import { redisTest } from "../support/redis_fixture.ts";

redisTest("answers_as_memory_does", async (redis) => {
  const root = await redis.connect();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(operations, async (sequence: Operation[]) => {
      const backend = root.withPrefix(`${redis.prefix}:${++run}`);
      await using memory = new MemoryBackend();
      const onRedis = new Session(backend as FullBackend);
      const inMemory = new Session(memory);
      const now = Date.now();
      for (const operation of sequence) {
        // Redis' clock is not ours to move.
        if (operation.kind === "wait") continue;
        assertEquals(
          await onRedis.answer(operation, now),
          await inMemory.answer(operation, now),
        );
        await tick(operation);
      }
      await deleteAll(backend, "a", "a:b", "%3A");
    }),
    { numRuns: 100 },
  );
});

/**
 * A record without a creation time takes the clock's: two of them within one
 * millisecond here may be in two there, and have another order.
 */
async function tick(operation: Operation): Promise<void> {
  const writes = "times" in operation || operation.kind === "repeat";
  if (!writes) return;
  const start = Date.now();
  while (Date.now() === start) await Promise.resolve();
}
