/**
 * What becomes of the errors of listeners that a host hands over.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { makeKey, MemoryBackend, RedisBackend } from "../../mod.ts";
import { checkListener, checkOnWarning } from "../../src/storage/warnings.ts";
import { redisTest } from "../support/redis_fixture.ts";
import { HOUR, KEY } from "../support/suite/env.ts";
import { waitUntil } from "../support/wait.ts";

const failure = new Error("of alice:t-1");

Deno.test("checkListener() reports what is thrown or rejected, without its message", async () => {
  const warnings: [string, unknown][] = [];
  const note = (message: string, cause?: unknown) =>
    void warnings.push([message, cause]);
  for (
    const [listener, cause] of [
      [() => {
        throw failure;
      }, failure],
      [() => Promise.reject(failure), failure],
      [() => {
        throw undefined;
      }, undefined],
      [() => ({
        get then() {
          throw failure;
        },
      }), failure],
    ] as const
  ) {
    warnings.length = 0;
    checkListener("due.subscribe", listener, note)();
    await waitUntil("the warning", () => warnings.length > 0);
    assertEquals(warnings.length, 1);
    const [message, given] = warnings[0]!;
    assert(given === cause);
    assert(message.includes("due.subscribe") && !message.includes("alice"));
  }
});

Deno.test("checkOnWarning() makes a listener that neither throws nor rejects", async () => {
  let calls = 0;
  const bad = [
    () => {
      calls++;
      throw failure;
    },
    () => {
      calls++;
      return Promise.reject(failure);
    },
  ];
  for (const onWarning of bad) checkOnWarning(onWarning)("a sentence");
  assertEquals(calls, 2);
  // A rejection that is not handled would be reported by now.
  await new Promise((resolve) => setTimeout(resolve));
});

Deno.test("MemoryBackend refuses an onWarning that is no function", () => {
  for (const onWarning of [null, "console", 1, {}]) {
    assertThrows(
      () => new MemoryBackend({ onWarning: onWarning as never }),
      TypeError,
      "onWarning is",
    );
  }
});

Deno.test("MemoryBackend tells onWarning what a listener has thrown", async () => {
  const causes: unknown[] = [];
  await using backend = new MemoryBackend({
    onWarning: (_, cause) => causes.push(cause),
  });
  await backend.due.subscribe(["q"], () => {
    throw failure;
  });
  await backend.due.offer(KEY, "q", 1);
  await waitUntil("the warning", () => causes.length > 0);
  assert(causes[0] === failure);
});

redisTest("listener_that_throws_is_told_to_onWarning", async (redis) => {
  const causes: unknown[] = [];
  const backend = await redis.connect({
    onWarning: (_, cause) => {
      causes.push(cause);
      // Nor does this stop anything.
      throw failure;
    },
  });
  await backend.due.subscribe(["q"], () => {
    throw failure;
  });
  let calls = 0;
  await backend.due.subscribe(["q"], () => void calls++);
  await backend.due.offer(KEY, "q", 1, HOUR);
  await waitUntil("both called", () => causes.length > 0 && calls > 0);
  assert(causes[0] === failure);
});

redisTest("onWarning_that_is_no_function_is_refused", (redis) => {
  const options = { onWarning: "console" as never };
  assertThrows(
    () => new RedisBackend(redis.raw, options),
    TypeError,
    "onWarning is a string",
  );
  return Promise.resolve();
});

redisTest(
  "listener_that_throws_stops_no_watch_on_a_reconnect",
  async (redis) => {
    const backend = await redis.connect({ onWarning: () => {} });
    const other = await redis.connect();
    const subscribers = async () =>
      new Set(
        String(
          await redis.raw.sendCommand(["CLIENT", "LIST", "TYPE", "pubsub"]),
        )
          .match(/(?<=\bid=)\d+/g) ?? [],
      );
    const before = await subscribers();
    let resets = 0;
    await backend.due.subscribe(["q"], () => {
      resets++;
      throw failure;
    });
    const key = makeKey("alice", "watched");
    await backend.put(key, "one", HOUR);
    await using versions = asDisposable(backend.watch(key));
    await versions.next();
    const next = versions.next();
    for (const id of await subscribers()) {
      if (!before.has(id)) {
        await redis.raw.sendCommand(["CLIENT", "KILL", "ID", id]);
      }
    }
    // While this backend has no events.
    await other.put(key, "two", HOUR);
    assertEquals((await next).value?.data, "two");
    await waitUntil("the listener called", () => resets > 0);
  },
);

function asDisposable<T>(iterable: AsyncIterable<T>) {
  const iterator = iterable[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    async [Symbol.asyncDispose]() {
      await iterator.return?.();
    },
  };
}
