/**
 * `SdkTaskMessageQueue` against the SDK's own, and where it is not as that:
 * owners, several connections, failures.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  InMemoryTaskMessageQueue,
  type TaskMessageQueue,
} from "@modelcontextprotocol/sdk/experimental/tasks";
import fc from "fast-check";
import { MemoryBackend, SdkTaskMessageQueue } from "../../../mod.ts";
import type { QueueBackend } from "../../support/suite/message_queue.ts";
import { redisTest } from "../../support/redis_fixture.ts";

interface QueueCall {
  readonly op: string;
  readonly task: string;
  readonly params: Record<string, unknown>;
  readonly maxSize: number | undefined;
}

const queueCall: fc.Arbitrary<QueueCall> = fc.record({
  op: fc.constantFrom("enqueue", "enqueue", "enqueue", "dequeue", "dequeueAll"),
  task: fc.constantFrom("t-1", "t-2"),
  params: fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()),
  maxSize: fc.constantFrom(undefined, 0, 1, 2.5, 3, -1, Infinity),
});

async function callQueue(
  queue: TaskMessageQueue,
  { op, task, params, maxSize }: QueueCall,
): Promise<unknown> {
  try {
    if (op === "dequeue") return await queue.dequeue(task, "s");
    if (op === "dequeueAll") return await queue.dequeueAll(task, "s");
    const message = { jsonrpc: "2.0" as const, method: "x", params };
    return await queue.enqueue(
      task,
      { type: "notification", timestamp: 1, message },
      "s",
      maxSize,
    );
  } catch (error) {
    return { error: (error as Error).message };
  }
}

async function sameQueues(backend: QueueBackend, runs: number) {
  await fc.assert(
    fc.asyncProperty(
      fc.array(queueCall, { minLength: 1, maxLength: 40 }),
      async (calls) => {
        const theirs = new InMemoryTaskMessageQueue();
        const ours = new SdkTaskMessageQueue(backend.queues);
        const empty = { op: "dequeueAll", params: {}, maxSize: undefined };
        const drain = [{ ...empty, task: "t-1" }, { ...empty, task: "t-2" }];
        for (const call of [...calls, ...drain]) {
          const expected = await callQueue(theirs, call);
          assertEquals(await callQueue(ours, call), expected);
        }
      },
    ),
    { numRuns: runs },
  );
}

Deno.test("sdk_queue_answers_as_the_sdks_own_in_memory", async () => {
  await using backend = new MemoryBackend();
  await sameQueues(backend, 150);
});

redisTest("sdk_queue_answers_as_the_sdks_own", async (redis) => {
  await sameQueues(await redis.connect(), 25);
});

redisTest("sdk_queue_takes_100_of_101_from_all_connections", async (redis) => {
  const queues = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const { queues } = await redis.connect();
      return new SdkTaskMessageQueue(queues).forOwner("alice");
    }),
  );
  const message = {
    type: "notification" as const,
    timestamp: 1,
    message: { jsonrpc: "2.0" as const, method: "x" },
  };
  const outcomes = await Promise.allSettled(
    Array.from(
      { length: 101 },
      (_, n) => queues[n % 5]!.enqueue("t-1", message, undefined, 100),
    ),
  );
  const refused = outcomes.filter(({ status }) => status === "rejected");
  assertEquals(
    refused.map((outcome) => (outcome as PromiseRejectedResult).reason.message),
    ["Task message queue overflow: queue size (100) exceeds maximum (100)"],
  );
  assertEquals((await queues[1]!.dequeueAll("t-1")).length, 100);
});

Deno.test("sdk_queues_of_two_owners_are_two", async () => {
  await using backend = new MemoryBackend();
  const queue = new SdkTaskMessageQueue(backend.queues);
  const message = {
    type: "response" as const,
    timestamp: 1,
    message: { jsonrpc: "2.0" as const, id: 1, result: {} },
  };
  await queue.forOwner("alice").enqueue("t-1", message);
  assertEquals(await queue.forOwner("bob").dequeue("t-1", "alice"), undefined);
  assertEquals(await queue.dequeue("t-1"), undefined);
  assertEquals(await queue.dequeue("t-1", "alice"), message);
});
