/**
 * Subscriptions to hints: a call back whenever one has become the earliest.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { waitUntil } from "../wait.ts";
import {
  type ContractTest,
  type FullBackend,
  HOUR,
  KEY,
  nthKey,
} from "./env.ts";

const TWO = { instances: 2 };
const LONG_MS = 3600_000;

export function dueSubscriptionTests(test: ContractTest): void {
  test(
    "subscriber_is_called_when_a_hint_becomes_the_earliest",
    async (backend, other) => {
      const calls = await count(backend, ["q"]);
      const atMs = Date.now() + LONG_MS;
      // The first there is, each that is earlier, and one that was moved.
      await calls.after(() => other.due.offer(nthKey(1), "q", atMs, HOUR));
      await calls.after(() => other.due.offer(nthKey(2), "q", atMs - 1, HOUR));
      await calls.after(() => other.due.offer(nthKey(1), "q", atMs - 2, HOUR));
      await calls.after(() => other.due.offer(nthKey(3), "q", 0, HOUR));
      // The writer's own instance is notified, too.
      await other.due.withdraw(nthKey(3), "q");
      await calls.after(() => backend.due.offer(nthKey(3), "q", 0, HOUR));
      await calls.end();
    },
    TWO,
  );

  test(
    "subscriber_is_called_for_the_first_hint_after_the_last_went",
    async (backend, other) => {
      const calls = await count(backend, ["q"]);
      await calls.after(() => other.due.offer(nthKey(1), "q", 1, HOUR));
      await other.due.withdraw(nthKey(1), "q");
      await calls.after(() => other.due.offer(nthKey(2), "q", 2, HOUR));
      await other.due.claim(["q"], 10, LONG_MS);
      // Claimed, the other is put off: this one is the earliest.
      await calls.after(() => other.due.offer(nthKey(3), "q", 3, HOUR));
      await calls.end();
    },
    TWO,
  );

  test(
    "subscriber_is_called_for_each_of_its_queues",
    async (backend, other) => {
      const calls = await count(backend, ["q", "r@1", "🦕"]);
      for (const queue of ["🦕", "q", "r@1"]) {
        await calls.after(() => other.due.offer(KEY, queue, 0, HOUR));
      }
      await calls.end();
    },
    TWO,
  );

  test("subscription_ends_and_leaves_the_others", async (backend, other) => {
    const ended = await count(backend, ["q"]);
    const kept = await count(backend, ["q"]);
    await other.due.offer(KEY, "q", 2, HOUR);
    await waitUntil("both called", () => ended.calls > 0 && kept.calls > 0);
    await ended.end();
    const before = ended.calls;
    await kept.after(() => other.due.offer(KEY, "q", 1, HOUR));
    assertEquals(ended.calls, before);
    await kept.end();
    // Ended twice, it is still ended.
    await kept.end();
  }, TWO);

  test(
    "subscription_is_to_the_queues_named_when_it_was_asked",
    async (backend, other) => {
      let calls = 0;
      const queues = ["q"];
      const asked = backend.due.subscribe(queues, () => void calls++);
      queues[0] = "r";
      const unsubscribe = await asked;
      await other.due.offer(KEY, "q", 2, HOUR);
      await waitUntil("the listener called", () => calls > 0);
      // What it ends is that subscription, whatever the array holds.
      await unsubscribe();
      const before = calls;
      const kept = await count(backend, ["q"]);
      await kept.after(() => other.due.offer(KEY, "q", 1, HOUR));
      assertEquals(calls, before);
      await kept.end();
    },
    TWO,
  );

  test(
    "subscriber_that_throws_or_rejects_silences_no_other",
    async (backend, other) => {
      // What is not caught fails the whole file.
      const bad = [
        () => {
          throw new Error("of a listener");
        },
        () => Promise.reject(new Error("of a listener")),
        () => {
          throw null;
        },
        async () => {
          await other.get(KEY);
        },
      ];
      const ends: (() => Promise<void>)[] = [];
      for (const listener of bad) {
        ends.push(await backend.due.subscribe(["q", "r"], listener));
      }
      const kept = await count(backend, ["q", "s"]);
      for (const [n, queue] of ["q", "s", "q"].entries()) {
        const { due } = n === 0 ? backend : other;
        await due.offer(nthKey(1), "r", 9 - n, HOUR);
        await kept.after(() => due.offer(nthKey(2), queue, 9 - n, HOUR));
      }
      for (const end of ends) await end();
      await kept.end();
    },
    TWO,
  );

  test("subscriber_that_another_has_ended_is_not_called", async (backend) => {
    const ends: (() => Promise<void>)[] = [];
    const called: number[] = [];
    for (const n of [0, 1]) {
      ends.push(
        await backend.due.subscribe(["q"], async () => {
          called.push(n);
          await ends[1 - n]!();
        }),
      );
    }
    await backend.due.offer(KEY, "q", 2, HOUR);
    await waitUntil("one called", () => called.length > 0);
    // Events come in order: this one is the last.
    const kept = await count(backend, ["q"]);
    await kept.after(() => backend.due.offer(KEY, "q", 1, HOUR));
    assertEquals(new Set(called).size, 1);
    await ends[called[0]!]!();
    await kept.end();
  });

  test("one_listener_may_subscribe_twice", async (backend, other) => {
    let calls = 0;
    const listener = () => void calls++;
    const first = await backend.due.subscribe(["q"], listener);
    const second = await backend.due.subscribe(["q"], listener);
    await first();
    const before = calls;
    await other.due.offer(KEY, "q", 0, HOUR);
    await waitUntil("the listener called", () => calls > before);
    await second();
  }, TWO);

  test(
    "subscriber_can_claim_what_it_was_called_for",
    async (backend, other) => {
      const claimed: string[] = [];
      const unsubscribe = await backend.due.subscribe(["q"], async () => {
        const { claims } = await backend.due.claim(["q"], 10, LONG_MS);
        claimed.push(...claims.map(({ key }) => key));
      });
      for (const n of [1, 2, 3]) {
        await other.due.offer(nthKey(n), "q", n, HOUR);
        await waitUntil("the hint claimed", () => claimed.length === n);
      }
      assertEquals(claimed, [1, 2, 3].map((n) => nthKey(n)));
      await unsubscribe();
    },
    TWO,
  );
}

/** A subscription that counts its calls. */
async function count(backend: FullBackend, queues: string[]) {
  const counter = {
    calls: 0,
    end: await backend.due.subscribe(queues, () => void counter.calls++),
    /** Waits for a call that follows the step. */
    async after(step: () => Promise<unknown>): Promise<void> {
      const before = counter.calls;
      await step();
      await waitUntil("the subscriber called", () => counter.calls > before);
    },
  };
  return counter;
}
