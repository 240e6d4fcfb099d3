/**
 * Watches and events on a real Redis: what they cost, and what they do when
 * connections are cut, silent or refused.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient, createCluster } from "redis";
import { EventHub } from "../../src/redis/events.ts";
import { borrowLink } from "../../src/redis/link.ts";
import { BackendError } from "../../src/storage/errors.ts";
import type { Subscription } from "../../src/storage/watch.ts";
import { WatchHub } from "../../src/storage/watch.ts";
import { CloseSignal } from "../../src/util/close_signal.ts";
import { Monitor } from "../support/monitor.ts";
import { serverTest } from "../support/own_server.ts";
import { TcpProxy } from "../support/proxy.ts";
import {
  openRaw,
  type RawClient,
  type RedisFixture,
  redisTest,
} from "../support/redis_fixture.ts";
import { deadline, waitUntil } from "../support/wait.ts";

/** The events of a client, and watches of hashes with a version and data. */
class Watched implements AsyncDisposable {
  readonly client: Awaited<ReturnType<typeof openClient>>;
  readonly events: EventHub;
  readonly hub: WatchHub;
  readonly closed = new CloseSignal();
  readonly #link: ReturnType<typeof borrowLink>;

  private constructor(
    client: Awaited<ReturnType<typeof openClient>>,
    timeoutMs: number,
  ) {
    this.client = client;
    this.#link = borrowLink(client as never, () => {});
    const open = () => this.#link.openSubscriber();
    this.events = new EventHub({ open, timeoutMs });
    this.hub = new WatchHub({
      closed: [this.closed],
      read: async (key) => {
        const fields = ["version", "data", "etag"];
        const [version, data, etag] = await this.#link
          .send(key, false, ["HMGET", key, ...fields]) as string[];
        return version === null
          ? undefined
          : { version: Number(version), data: data!, etag: etag! };
      },
      subscribe: (key, listener) => this.events.changes(key, listener),
    });
  }

  static async open(url: string, timeoutMs = 10_000): Promise<Watched> {
    return new Watched(await openClient(url), timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed.end(new BackendError("closed", { closed: true }));
    await this.events.close();
    await this.#link.close();
    if (this.client.isOpen) this.client.destroy();
  }
}

async function openClient(url: string) {
  const client = createClient({ url, disableOfflineQueue: true });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Writes as a script of ours does: the record and its event in one step. */
async function write(raw: RawClient, key: string, data: string) {
  const script = `local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'data', ARGV[1], 'etag', ARGV[2])
redis.call('PEXPIRE', KEYS[1], 60000)
redis.call('SPUBLISH', KEYS[1], version)
return version`;
  const etag = crypto.randomUUID();
  const options = { keys: [key], arguments: [data, etag] };
  const version = Number(await raw.eval(script, options));
  return { version, data, etag };
}

function nthKey(redis: RedisFixture, n = 0): string {
  return `${redis.prefix}:{k}:${n}`;
}

/** A subscription, and what it has received. */
function listen(events: EventHub, channel: string) {
  const received: string[] = [];
  const state = { resets: 0 };
  const subscription: Subscription = events.subscribe(
    channel,
    (message) => received.push(message),
    () => state.resets++,
  );
  return { ...subscription, received, state };
}

async function channels(raw: RawClient, pattern: string): Promise<string[]> {
  const found = await raw.sendCommand(["PUBSUB", "SHARDCHANNELS", pattern]);
  return (found as unknown as string[]).map(String);
}

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

/** Takes a step of a watch that the body causes. */
async function watchOver<T>(
  watch: AsyncIterator<T, void, void>,
  body: () => Promise<unknown>,
): Promise<IteratorResult<T, void>> {
  const step = watch.next();
  await body();
  return await deadline("the next step", step);
}

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
      assert(step.status === "rejected" && step.reason instanceof BackendError);
      assert(step.reason.message.startsWith("cannot subscribe to"));
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
