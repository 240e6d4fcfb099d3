/**
 * What watches and events cost on a real Redis, and what they leave behind.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createCluster } from "redis";
import { EventHub } from "../../src/redis/events.ts";
import { borrowLink } from "../../src/redis/link.ts";
import { BackendError } from "../../src/storage/errors.ts";
import { Monitor } from "../support/monitor.ts";
import { serverTest } from "../support/own_server.ts";
import { openRaw, redisTest } from "../support/redis_fixture.ts";
import { waitUntil } from "../support/wait.ts";
import { channels, listen, nthKey, Watched, write } from "./watched.ts";

redisTest("two_watches_cost_one_subscription_and_one_read", async (redis) => {
  await using watched = await Watched.open(redis.url);
  await using monitor = await Monitor.open(redis.url, redis.raw);
  const key = nthKey(redis);
  await write(redis.raw, key, "one");
  const count = async (body: () => Promise<unknown>) => {
    const names = (await monitor.during(body))
      .filter(({ words }) => words.includes(key))
      .map(({ words }) => words[0]!.toUpperCase());
    return (name: string) => names.filter((each) => each === name).length;
  };
  const watches = [watched.hub.watch(key), watched.hub.watch(key)];
  const next = () => Promise.all(watches.map((watch) => watch.next()));
  const first = await count(next);
  assertEquals([first("SSUBSCRIBE"), first("HMGET")], [1, 1]);
  const second = await count(async () => {
    const pending = next();
    await write(redis.raw, key, "two");
    for (const { value } of await pending) assertEquals(value?.data, "two");
  });
  assertEquals([second("SSUBSCRIBE"), second("HMGET")], [0, 1]);
  const own = await count(async () => {
    const pending = next();
    const writing = watched.hub.writing(key);
    writing.done(await write(redis.raw, key, "three"));
    for (const { value } of await pending) assertEquals(value?.data, "three");
    // The event has surely come when a later one has.
    const { ready, end, received } = listen(watched.events, `${key}:mark`);
    await ready;
    await redis.raw.sPublish(`${key}:mark`, "x");
    await waitUntil("the later event", () => received.length === 1);
    end();
  });
  assertEquals(own("HMGET"), 0);
  const left = await count(async () => {
    await Promise.all(watches.map((watch) => watch.return!()));
    await waitUntil("no subscription", async () => {
      return (await channels(redis.raw, `${redis.prefix}*`)).length === 0;
    });
  });
  assertEquals(left("SUNSUBSCRIBE"), 1);
  assertEquals([watched.hub.size, watched.events.size], [0, 0]);
});

redisTest("events_are_versions_and_zero_is_a_deletion", async (redis) => {
  await using watched = await Watched.open(redis.url);
  const key = nthKey(redis);
  const seen: (number | undefined)[] = [];
  const changes = watched.events.changes(key, (version) => seen.push(version));
  await changes.ready;
  const messages = ["1", "12", "0", "words", "-1", "1.5", "9007199254740993"];
  for (const message of messages) await redis.raw.sPublish(key, message);
  await waitUntil("all events", () => seen.length === messages.length);
  const unknown = undefined; // something has changed
  assertEquals(seen, [1, 12, 0, unknown, unknown, unknown, unknown]);
});

redisTest("listeners_of_a_channel_share_its_subscription", async (redis) => {
  await using watched = await Watched.open(redis.url);
  await using monitor = await Monitor.open(redis.url, redis.raw);
  const key = nthKey(redis);
  const sent = await monitor.during(async () => {
    const listeners = [1, 2, 3].map(() => listen(watched.events, key));
    await Promise.all(listeners.map(({ ready }) => ready));
    const late = listen(watched.events, key);
    assertEquals(late.ready, undefined);
    listeners[0]!.end();
    listeners[0]!.end(); // once more is nothing
    await redis.raw.sPublish(key, "hello");
    await waitUntil("the event", () => late.received.length === 1);
    assertEquals(listeners.map(({ received }) => received.length), [0, 1, 1]);
    // The last one leaves and another comes in the same turn.
    for (const { end } of [...listeners, late]) end();
    const next = listen(watched.events, key);
    await next.ready;
    await redis.raw.sPublish(key, "again");
    await waitUntil("the next event", () => next.received.length === 1);
    next.end();
    await waitUntil("the channel left", () => watched.events.size === 0);
  });
  const names = sent.filter(({ words }) => words.includes(key))
    .map(({ words }) => words[0]!.toLowerCase())
    .filter((name) => name.endsWith("subscribe"));
  assertEquals(names, ["ssubscribe", "sunsubscribe"]);
});

redisTest(
  "a_listener_that_comes_while_a_channel_is_left_is_served",
  async (redis) => {
    await using watched = await Watched.open(redis.url);
    const key = nthKey(redis);
    for (let round = 0; round < 50; round++) {
      const first = listen(watched.events, key);
      await first.ready;
      first.end();
      // From the same turn to after the acknowledgment.
      for (let turns = 0; turns < round % 5; turns++) {
        await new Promise((resolve) => setTimeout(resolve));
      }
      const second = listen(watched.events, key);
      await second.ready;
      await redis.raw.sPublish(key, "x");
      await waitUntil("the event", () => second.received.length === 1);
      second.end();
    }
    await waitUntil("the channel left", () => watched.events.size === 0);
  },
);

redisTest(
  "after_close_no_subscription_and_no_connection_is_left",
  async (redis) => {
    const watched = await Watched.open(redis.url);
    const before = await redis.raw.sendCommand(["CLIENT", "LIST"]);
    const listeners = Array.from(
      { length: 20 },
      (_, n) => listen(watched.events, nthKey(redis, n)),
    );
    await Promise.all(listeners.map(({ ready }) => ready));
    const pending = listen(watched.events, nthKey(redis, 20));
    await watched.events.close();
    await assertRejects(() => pending.ready!, BackendError, "closed");
    for (const { end } of [...listeners, pending]) end();
    assert(watched.client.isReady, "the borrowed client stays open");
    await waitUntil("no subscription", async () => {
      return (await channels(redis.raw, `${redis.prefix}*`)).length === 0;
    });
    const clients = (list: unknown) => String(list).trim().split("\n").length;
    await waitUntil("no connection", async () => {
      return clients(await redis.raw.sendCommand(["CLIENT", "LIST"])) <=
        clients(before);
    });
    assert(watched.events.size === 0);
    await watched[Symbol.asyncDispose]();
  },
);

serverTest(
  "after_close_no_subscription_is_left_on_a_borrowed_cluster",
  async (server) => {
    const raw = await openRaw(server.url);
    await raw.sendCommand(["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    await waitUntil("the cluster", async () => {
      return String(await raw.sendCommand(["CLUSTER", "INFO"]))
        .includes("cluster_state:ok");
    });
    const cluster = createCluster({ rootNodes: [{ url: server.url }] });
    cluster.on("error", () => {});
    await cluster.connect();
    try {
      const link = borrowLink(cluster as never, () => {});
      const events = new EventHub({
        open: () => link.openSubscriber(),
        timeoutMs: 5000,
      });
      const listeners = Array.from(
        { length: 10 },
        (_, n) => listen(events, `{${n}}:channel`),
      );
      await Promise.all(listeners.map(({ ready }) => ready));
      assertEquals((await channels(raw, "*")).length, 10);
      await raw.sPublish("{3}:channel", "x");
      await waitUntil("the event", () => listeners[3]!.received.length === 1);
      await events.close();
      await link.close();
      await waitUntil("no subscription", async () => {
        return (await channels(raw, "*")).length === 0;
      });
      assertEquals(await cluster.get("still open"), null);
    } finally {
      cluster.destroy();
      raw.destroy();
    }
  },
  { args: ["--cluster-enabled", "yes"] },
);
