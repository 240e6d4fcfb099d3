/**
 * The contract of message queues on every backend, and what only one of them
 * promises.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  InvalidDataError,
  LUA_QUEUE_DRAIN,
  LUA_QUEUE_PUSH,
  LUA_QUEUE_SHIFT,
  makeKey,
  MemoryBackend,
} from "../../mod.ts";
import { messageQueueContract } from "../support/suite/message_queue.ts";
import { redisTest } from "../support/redis_fixture.ts";
import { type CutAt, CUTS, TcpProxy } from "../support/proxy.ts";

const KEY = makeKey("alice", "t-1");

messageQueueContract((name, body, options) =>
  Deno.test(`memory_${name}`, async () => {
    await using backend = new MemoryBackend(options);
    await body([backend, backend]);
  })
);

messageQueueContract((name, body, options) =>
  redisTest(name, async (redis) => {
    await body([
      await redis.connect(options),
      await redis.connect(options),
      await redis.connect(options),
    ]);
  })
);

Deno.test("memory_queue_ends_at_its_very_millisecond", async () => {
  let now = 1_000_000;
  await using backend = new MemoryBackend({ clock: () => now });
  await backend.put(KEY, "x", { expiresAt: now + 500 });
  await backend.queues.push(KEY, "message");
  now += 499;
  await backend.queues.push(KEY, "message");
  now += 1;
  assertEquals(await backend.queues.drain(KEY), []);
});

redisTest("queue_expires_with_its_record_to_the_millisecond", async (redis) => {
  const backend = await redis.connect();
  const queue = `${redis.prefix}:queue:{alice}:t-1`;
  const expiresAt = Date.now() + 60_123;
  await backend.put(KEY, "x", { expiresAt });
  await backend.queues.push(KEY, "one");
  assertEquals(await redis.raw.pExpireTime(queue), expiresAt);
  await backend.put(KEY, "x", { expiresAt: expiresAt + 5000 });
  await backend.queues.push(KEY, "two");
  assertEquals(await redis.raw.pExpireTime(queue), expiresAt + 5000);
  assertEquals(await redis.raw.lRange(queue, 0, -1), ["one", "two"]);
  await backend.queues.drain(KEY);
  assertEquals(await redis.raw.exists(queue), 0);
});

redisTest("queue_without_a_record_lives_an_hour", async (redis) => {
  const backend = await redis.connect();
  await backend.queues.push(KEY, "one");
  const left = await redis.raw.pTTL(`${redis.prefix}:queue:{alice}:t-1`);
  assert(left > 3599_000 && left <= 3600_000, `${left} ms`);
});

redisTest("queue_key_of_another_type_is_named", async (redis) => {
  const backend = await redis.connect();
  const queue = `${redis.prefix}:queue:{alice}:t-1`;
  await redis.raw.set(queue, "no list", {
    expiration: { type: "EX", value: 60 },
  });
  const push = () => backend.queues.push(KEY, "x");
  for (const call of [push, () => backend.queues.shift(KEY)]) {
    const error = await assertRejects<InvalidDataError>(call, InvalidDataError);
    assertEquals(error.key, KEY);
  }
});

redisTest("queue_script_touches_only_the_keys_it_declares", async (redis) => {
  const user = `queue-${crypto.randomUUID()}`;
  const keys = {
    queue: `${redis.prefix}:queue:{alice}:t-1`,
    record: `${redis.prefix}:tasks:{alice}:t-1`,
  };
  const commands = ["+@all"];
  const only = Object.values(keys).map((key) => `~${key}`);
  await redis.raw.aclSetUser(user, ["on", ">secret", ...commands, ...only]);
  try {
    const { hostname, port } = new URL(redis.url);
    const backend = await redis.connect({}, {
      url: `redis://${user}:secret@${hostname}:${port || 6379}`,
    });
    await backend.queues.push(KEY, "one", { maxLength: 2 });
    assertEquals(await backend.queues.shift(KEY), "one");
    assertEquals(await backend.queues.drain(KEY), []);
    for (const script of [LUA_QUEUE_PUSH, LUA_QUEUE_SHIFT, LUA_QUEUE_DRAIN]) {
      assert(script.keys.every((name) => name in keys), script.name);
    }
  } finally {
    await redis.raw.aclDelUser(user);
  }
});

for (const missing of ["rpush", "pexpire", "pexpireat", "pexpiretime"]) {
  redisTest(`queue_user_without_${missing}_leaves_nothing`, async (redis) => {
    const user = `queue-${crypto.randomUUID()}`;
    const rules = [`~${redis.prefix}:*`, "+@all", `-${missing}`];
    await redis.raw.aclSetUser(user, ["on", ">secret", ...rules]);
    try {
      const { hostname, port } = new URL(redis.url);
      const backend = await redis.connect({}, {
        url: `redis://${user}:secret@${hostname}:${port || 6379}`,
      });
      const admin = await redis.connect();
      const expiresAt = Date.now() + 60_000;
      // One queue follows a record, the other has none.
      await admin.put(makeKey("alice", "t-1"), "x", { expiresAt });
      for (const key of [KEY, makeKey("bob", "t-1")]) {
        await backend.queues.push(key, "x").catch((error) => {
          if (!(error instanceof BackendError)) throw error;
        });
      }
      for (const owner of ["alice", "bob"]) {
        const queue = `${redis.prefix}:queue:{${owner}}:t-1`;
        assert(await redis.raw.pTTL(queue) !== -1, `${owner}'s lives for ever`);
      }
    } finally {
      await redis.raw.aclDelUser(user);
    }
  });
}

for (const cut of CUTS) {
  const name = cut.replace(" ", "_");
  redisTest(`queue_operation_cut_${name}_is_not_repeated`, async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const { queues } = await redis.connect();
    const away = (await redis.connect({}, proxy.url)).queues;
    const carriedOut = cut.endsWith("reply");
    const messages = ["one", "two", "three"];
    for (const message of messages) await queues.push(KEY, message);
    // From here on the server knows the scripts: what is cut is the script.
    await queues.shift(makeKey("bob", "t-1"));
    await queues.drain(makeKey("bob", "t-1"));

    await unknown(proxy, cut, () => away.shift(KEY));
    if (carriedOut) messages.shift();
    await unknown(proxy, cut, () => away.push(KEY, "four"));
    if (carriedOut) messages.push("four");
    assertEquals(await queues.drain(KEY), messages);

    await queues.push(KEY, "five");
    await unknown(proxy, cut, () => away.drain(KEY));
    assertEquals(await queues.drain(KEY), carriedOut ? [] : ["five"]);
  });
}

/** The connection is cut under the call, which says that it cannot know. */
async function unknown(
  proxy: TcpProxy,
  cut: CutAt,
  call: () => Promise<unknown>,
): Promise<void> {
  const before = proxy.cuts;
  proxy.cutNext(cut);
  const error = await assertRejects<BackendError>(call, BackendError);
  assertEquals([error.outcome, proxy.cuts - before], ["unknown", 1]);
}
