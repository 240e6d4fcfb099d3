/**
 * The suite of `ExtTaskStore` on Redis, two connections standing for two
 * instances, and what a task that has ended leaves there: nothing.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { TaskStoreOptions } from "../../../mod.ts";
import { type RedisFixture, redisTest } from "../../support/redis_fixture.ts";
import { waitUntil } from "../../support/wait.ts";
import { ALICE, elicit, TwoStores } from "./suite/env.ts";
import { storeTests } from "./suite/suite.ts";

async function withTwo(
  redis: RedisFixture,
  options: TaskStoreOptions,
  body: (two: TwoStores) => Promise<void>,
): Promise<void> {
  const backends = [await redis.connect(), await redis.connect()] as const;
  const two = new TwoStores(backends, options);
  try {
    await body(two);
  } finally {
    two.end();
  }
}

for (const { name, options = {}, body } of storeTests) {
  redisTest(`ext_tasks: ${name}`, (redis) => withTwo(redis, options, body));
}

redisTest(
  "ext_tasks: tasks that have ended leave no subscription",
  (redis) =>
    withTwo(redis, {}, async (two) => {
      const channels = () => redis.raw.pubSubShardChannels(`${redis.prefix}*`);
      const ids = [await two.create(), await two.create(), await two.create()];
      const [done, cancelled, closed] = ids.map((id) => two.a.handle(id));
      const asking = cancelled!.requireInput({ key: elicit("?") })
        .catch(() => {});
      await waitUntil(
        "all are followed",
        async () => (await channels()).length === ids.length,
      );
      await done!.complete({ content: [] });
      await two.b.cancel(ids[1]!, ALICE);
      await asking;
      two.a.close();
      assertEquals(closed!.signal.aborted, true);
      await waitUntil(
        "no one is subscribed",
        async () => (await channels()).length === 0,
      );
    }),
);
