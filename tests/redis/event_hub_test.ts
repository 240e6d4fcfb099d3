/**
 * How an `EventHub` brings its channels to what their listeners want, on a
 * fake of our own `Subscriber`: answers that fail, hang or come late.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { EventHub } from "../../src/redis/events.ts";
import type {
  MessageListener,
  Subscriber,
} from "../../src/redis/subscriber.ts";
import { BackendError } from "../../src/storage/errors.ts";
import { deadline, waitUntil } from "../support/wait.ts";

class FakeSubscriber implements Subscriber {
  /** Every command, in order. */
  readonly sent: string[] = [];
  readonly listeners = new Map<string, MessageListener>();
  resets = 0;
  isClosed = false;
  /** What the next commands do instead of succeeding. */
  answer: () => Promise<unknown> = () => Promise.resolve();
  reset: () => void = () => {};

  async sSubscribe(channel: string, listener: MessageListener): Promise<void> {
    this.sent.push(`+${channel}`);
    await this.answer();
    this.listeners.set(channel, listener);
  }

  async sUnsubscribe(channel: string): Promise<void> {
    this.sent.push(`-${channel}`);
    await this.answer();
    this.listeners.delete(channel);
  }

  onReset(listener: () => void): () => void {
    this.resets++;
    this.reset = listener;
    return () => {
      this.resets--;
    };
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

function open(timeoutMs = 10_000) {
  const subscriber = new FakeSubscriber();
  const opening = { answer: () => Promise.resolve(subscriber), count: 0 };
  const events = new EventHub({
    open: () => {
      opening.count++;
      return opening.answer();
    },
    timeoutMs,
  });
  return { subscriber, opening, events };
}

const ignore = () => {};

Deno.test("events: a channel has one command under way at a time", async () => {
  const { subscriber, events } = open();
  const listeners = [1, 2, 3].map(() => events.subscribe("c", ignore, ignore));
  await Promise.all(listeners.map(({ ready }) => ready));
  const { promise, resolve } = Promise.withResolvers<void>();
  subscriber.answer = () => promise;
  for (const { end } of listeners) end();
  await waitUntil("leaving", () => subscriber.sent.length === 2);
  const late = events.subscribe("c", ignore, ignore);
  const later = events.subscribe("c", ignore, ignore);
  later.end();
  assertEquals(subscriber.sent, ["+c", "-c"]);
  resolve();
  await late.ready;
  assertEquals(subscriber.sent, ["+c", "-c", "+c"]);
  assert(subscriber.listeners.has("c"));
  late.end();
  late.end();
  await waitUntil("nothing left", () => events.size === 0);
  assertEquals(subscriber.sent, ["+c", "-c", "+c", "-c"]);
});

Deno.test("events: a listener that leaves before the answer leaves nothing", async () => {
  const { subscriber, events } = open();
  events.subscribe("c", ignore, ignore).end();
  await waitUntil("nothing left", () => events.size === 0);
  assertEquals(subscriber.listeners.size, 0);
  assertEquals(subscriber.sent.at(-1) ?? "-c", "-c");
});

Deno.test("events: an opening that failed is tried again", async () => {
  const { subscriber, opening, events } = open();
  opening.answer = () => {
    if (opening.count === 3) return Promise.resolve(subscriber);
    return Promise.reject(new Error("Socket closed unexpectedly"));
  };
  await events.subscribe("c", ignore, ignore).ready;
  await events.subscribe("d", ignore, ignore).ready;
  assertEquals(opening.count, 3);
  assertEquals(subscriber.resets, 1);
  await events.close();
});

Deno.test("events: subscribing has a time, and the last failure is its cause", async () => {
  const { subscriber, events } = open(50);
  subscriber.answer = () => Promise.reject(new Error("Socket closed"));
  const failing = events.subscribe("c", ignore, ignore);
  const error = await assertRejects(
    () => deadline("the failure", failing.ready!),
    BackendError,
    "cannot subscribe to c: Socket closed",
  );
  assert(error.cause instanceof Error);
  assert(subscriber.sent.length > 1);
  subscriber.answer = () => new Promise<never>(ignore);
  const hanging = events.subscribe("d", ignore, ignore);
  await assertRejects(
    () => deadline("the failure", hanging.ready!),
    BackendError,
    "cannot subscribe to d: no answer within 50 ms",
  );
  await waitUntil("the failed one forgotten", () => events.size === 1);
});

Deno.test("events: the time of one listener is not that of the next", async () => {
  const { subscriber, events } = open(60);
  const { promise, resolve } = Promise.withResolvers<void>();
  subscriber.answer = () => promise;
  const first = events.subscribe("c", ignore, ignore);
  await new Promise((resolve) => setTimeout(resolve, 40));
  const second = events.subscribe("c", ignore, ignore);
  await assertRejects(() => first.ready!, BackendError);
  resolve();
  await second.ready;
  assertEquals(subscriber.sent, ["+c"]);
  await events.close();
});

Deno.test("events: a refusal fails at once, a passing one is tried again", async () => {
  for (const code of ["LOADING", "CLUSTERDOWN", "BUSY", "TRYAGAIN"]) {
    const { subscriber, events } = open();
    subscriber.answer = () => {
      subscriber.answer = () => Promise.resolve();
      return Promise.reject(new Error(`${code} not now`));
    };
    await events.subscribe("c", ignore, ignore).ready;
    assertEquals(subscriber.sent, ["+c", "+c"]);
    await events.close();
  }
  for (const reason of [new Error("NOPERM no"), new TypeError("no client")]) {
    const { subscriber, events } = open();
    subscriber.answer = () => Promise.reject(reason);
    const refused = events.subscribe("c", ignore, ignore);
    await assertRejects(() => refused.ready!, BackendError, reason.message);
    assertEquals(subscriber.sent, ["+c"]);
  }
});

Deno.test("events: a reset is passed to every listener, and cuts a pause", async () => {
  const { subscriber, events } = open();
  let resets = 0;
  await events.subscribe("c", ignore, () => resets++).ready;
  const seen: (number | undefined)[] = [];
  await events.changes("d", (version) => seen.push(version)).ready;
  subscriber.reset();
  assertEquals([resets, seen], [1, [undefined]]);
  subscriber.listeners.get("d")!("7");
  assertEquals(seen, [undefined, 7]);
  await events.close();
  assertEquals(subscriber.resets, 0);
  const other = open();
  other.subscriber.answer = () => Promise.reject(new Error("Socket closed"));
  const waiting = other.events.subscribe("c", ignore, ignore);
  await waitUntil("a long pause", () => other.subscriber.sent.length === 5);
  other.subscriber.answer = () => Promise.resolve();
  const over = Symbol("the turn is over");
  const pause = new Promise((resolve) => setTimeout(() => resolve(over)));
  other.subscriber.reset();
  assert(await Promise.race([waiting.ready, pause]) !== over);
  await other.events.close();
});

Deno.test("events: close ends what waits, and what is opened too late", async () => {
  const { subscriber, opening, events } = open();
  const { promise, resolve } = Promise.withResolvers<FakeSubscriber>();
  opening.answer = () => promise;
  const waiting = events.subscribe("c", ignore, ignore);
  await events.close();
  await events.close();
  const error = await assertRejects(
    () => deadline("the end", waiting.ready!, 1000),
    BackendError,
    "closed",
  );
  assert(error.closed);
  resolve(subscriber);
  await waitUntil("the late one closed", () => subscriber.isClosed);
  assertEquals([subscriber.sent, subscriber.resets], [[], 0]);
  try {
    events.subscribe("c", ignore, ignore);
    throw new Error("subscribed after close");
  } catch (error) {
    assert(error instanceof BackendError && error.closed);
  }
});

Deno.test("events: close does not wait for a command that hangs", async () => {
  const { subscriber, events } = open();
  await events.subscribe("c", ignore, ignore).ready;
  subscriber.answer = () => new Promise<never>(ignore);
  const waiting = events.subscribe("d", ignore, ignore);
  await waitUntil("the command", () => subscriber.sent.length === 2);
  await deadline("the close", events.close(), 1000);
  await assertRejects(() => waiting.ready!, BackendError, "closed");
  assert(subscriber.isClosed);
});
