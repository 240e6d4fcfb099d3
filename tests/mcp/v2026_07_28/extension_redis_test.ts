/**
 * The suite of the Tasks extension on Redis, two connections standing for two
 * instances, and what a client that has left leaves there: nothing.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { extensionTests } from "./suite/suite.ts";
import { Two } from "./suite/two.ts";
import { type RedisFixture, redisTest } from "../../support/redis_fixture.ts";
import { waitUntil } from "../../support/wait.ts";
import type { TaskStoreOptions } from "../../../mod.ts";

async function withTwo(
  redis: RedisFixture,
  options: TaskStoreOptions,
  body: (two: Two) => Promise<void>,
): Promise<void> {
  const two = new Two([await redis.connect(), await redis.connect()], options);
  try {
    await body(two);
  } finally {
    await two.end();
  }
}

for (const { name, options = {}, body } of extensionTests) {
  redisTest(`extension: ${name}`, (redis) => withTwo(redis, options, body));
}

/** The channels of the test that someone listens to. */
async function channels(redis: RedisFixture): Promise<string[]> {
  const all = await redis.raw.pubSubShardChannels(`${redis.prefix}*`);
  return all.sort();
}

redisTest(
  "extension: a client gone and a task ended leave no subscription",
  (redis) =>
    withTwo(redis, {}, async ({ a, b }) => {
      const one = await a.start("slow_compute", { seconds: 60, label: "x" });
      const two = await a.start("confirm_delete", { filename: "f" });
      await waitUntil("their handlers listen", async () =>
        (await channels(redis)).length === 2);
      const channel = (id: string) =>
        `${redis.prefix}:events:{conformance}:${id}`;
      const listeners = async () => {
        const count = await redis.raw.pubSubShardNumSub([channel(one)]);
        return Number(Object.values(count)[0]);
      };
      assertEquals(await listeners(), 1);

      const listening = [
        await b.listen({ taskIds: [one, two] }),
        await b.listen({ taskIds: [one], toolsListChanged: true }),
      ];
      for (const stream of listening) {
        await stream.task(one, "working");
      }
      // One connection of each instance, however many listen on it.
      assertEquals(await listeners(), 2);
      await listening[0]!.leave("abort");
      await listening[1]!.leave("cancel");
      await waitUntil(
        "b has unsubscribed",
        async () =>
          await listeners() === 1,
      );

      await b.cancel(one);
      await b.cancel(two);
      await waitUntil(
        "nobody listens",
        async () => (await channels(redis)).length === 0,
      );
    }),
);
