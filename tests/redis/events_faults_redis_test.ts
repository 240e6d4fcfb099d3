/**
 * What watches and events do when connections are cut, silent or refused.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { BackendError } from "../../src/storage/errors.ts";
import { TcpProxy } from "../support/proxy.ts";
import { redisTest } from "../support/redis_fixture.ts";
import { deadline, waitUntil } from "../support/wait.ts";
import { channels, listen, nthKey, Watched, write } from "./watched.ts";

redisTest("subscribing_is_tried_again_like_a_read", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  await using watched = await Watched.open(proxy.url);
  for (const cut of ["before request", "before reply", "mid reply"] as const) {
    let cuts = 0;
    proxy.fault = (request) => {
      if (!/SSUBSCRIBE/i.test(request) || cuts === 3) return undefined;
      cuts++;
      return { cut };
    };
    const key = nthKey(redis, cuts);
    const listener = listen(watched.events, `${key}:${cut}`);
    await deadline("the subscription", listener.ready!);
    assertEquals(cuts, 3);
    await redis.raw.sPublish(`${key}:${cut}`, "x");
    await waitUntil("the event", () => listener.received.length === 1);
    listener.end();
  }
});

redisTest("no_subscription_fails_while_connections_are_cut", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  await using watched = await Watched.open(proxy.url);
  let requests = 0;
  proxy.fault = (request) => {
    if (!/SSUBSCRIBE/i.test(request)) return undefined;
    return requests++ % 4 === 0 ? { cut: "before reply" } : undefined;
  };
  const subscribed = Array.from({ length: 200 }, async (_, n) => {
    await new Promise((resolve) => setTimeout(resolve, n));
    const listener = listen(watched.events, nthKey(redis, n));
    await listener.ready;
    return listener;
  });
  const listeners = await Promise.all(subscribed);
  assert(proxy.cuts > 5, `${proxy.cuts} cuts`);
  proxy.fault = () => undefined;
  // Every one of them is there, or is again.
  await waitUntil("all channels", async () => {
    return (await channels(redis.raw, `${redis.prefix}*`)).length === 200;
  });
  for (let n = 0; n < 200; n++) {
    await redis.raw.sPublish(nthKey(redis, n), "x");
  }
  await waitUntil(
    "all events",
    () => listeners.every(({ received }) => received.length === 1),
  );
});

redisTest("a_change_during_a_cut_is_seen_after_it", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  await using watched = await Watched.open(proxy.url);
  const key = nthKey(redis);
  await write(redis.raw, key, "one");
  const watch = watched.hub.watch(key);
  assertEquals((await watch.next()).value?.data, "one");
  for (let round = 0; round < 5; round++) {
    // Commands do not pass through the connection that is cut.
    const [channel] = await channels(redis.raw, key);
    assertEquals(channel, key);
    const { value } = await watchOver(watch, async () => {
      await redis.raw.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
      await write(redis.raw, key, `round ${round}`);
    });
    assertEquals(value?.data, `round ${round}`);
    await waitUntil("the subscription restored", async () => {
      return (await channels(redis.raw, key)).length === 1;
    });
  }
  await watch.return!();
});

redisTest(
  "without_a_server_subscribing_fails_in_time_and_leaves_nothing",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    await using watched = await Watched.open(proxy.url, 300);
    proxy.mode = "down";
    proxy.cutAll();
    const start = performance.now();
    const steps = await Promise.allSettled(Array.from(
      { length: 500 },
      (_, n) => watched.hub.watch(nthKey(redis, n)).next(),
    ));
    const tookMs = performance.now() - start;
    assert(tookMs >= 290 && tookMs < 2000, `took ${tookMs} ms`);
    for (const step of steps) {
      const reason = step.status === "rejected" ? step.reason : undefined;
      assert(reason instanceof BackendError, String(reason));
      const { message } = reason as BackendError;
      assert(message.startsWith("cannot subscribe to"), message);
    }
    await waitUntil(
      "nothing left",
      () => watched.hub.size === 0 && watched.events.size === 0,
    );
    proxy.mode = "up";
    const listener = listen(watched.events, nthKey(redis));
    await listener.ready;
  },
);

redisTest(
  "a_silent_server_holds_up_no_return_no_abort_and_no_close",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const watched = await Watched.open(proxy.url, 20_000);
    const key = nthKey(redis);
    proxy.mode = "silent";
    const within50Ms = async (what: string, promise: Promise<unknown>) => {
      const start = performance.now();
      await promise;
      const tookMs = performance.now() - start;
      assert(tookMs < 50, `${what} took ${tookMs} ms`);
    };
    const returned = watched.hub.watch(key);
    const pending = returned.next();
    await within50Ms("return()", returned.return!());
    assertEquals(await pending, { done: true, value: undefined });
    const aborted = new AbortController();
    const step = watched.hub.watch(key, aborted).next();
    aborted.abort(new RangeError("enough"));
    await within50Ms("abort", assertRejects(() => step, RangeError));
    const last = watched.hub.watch(key).next();
    const closing = watched[Symbol.asyncDispose]();
    await within50Ms(
      "close",
      assertRejects(() => last, BackendError, "closed"),
    );
    await closing;
  },
);

redisTest("a_refused_subscription_fails_at_once", async (redis) => {
  const user = `u-${crypto.randomUUID()}`;
  const rights = ["on", ">secret", "~*", "resetchannels", "+@all"];
  await redis.raw.sendCommand(["ACL", "SETUSER", user, ...rights]);
  try {
    const url = new URL(redis.url);
    url.username = user;
    url.password = "secret";
    await using watched = await Watched.open(url.href);
    const start = performance.now();
    const error = await assertRejects(
      () => watched.hub.watch(nthKey(redis)).next(),
      BackendError,
      "NOPERM",
    );
    assert(error.cause instanceof Error);
    assert(performance.now() - start < 2000, "tried again in vain");
  } finally {
    await redis.raw.sendCommand(["ACL", "DELUSER", user]);
  }
});

/** Takes a step of a watch that the body causes. */
async function watchOver<T>(
  watch: AsyncIterator<T, void, void>,
  body: () => Promise<unknown>,
): Promise<IteratorResult<T, void>> {
  const step = watch.next();
  await body();
  return await deadline("the next step", step);
}
