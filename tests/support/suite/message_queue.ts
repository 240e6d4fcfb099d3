/**
 * What every `MessageQueue` promises. `message_queue_test.ts` runs it on every
 * backend.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  CapacityExceededError,
  InvalidDataError,
  InvalidKeyError,
  makeKey,
  type MessageQueue,
  QueueFullError,
  type StorageBackend,
} from "../../../mod.ts";
import { waitUntil } from "../wait.ts";
import { before, untilGone } from "./env.ts";

/** A backend with queues. */
export type QueueBackend = StorageBackend & { readonly queues: MessageQueue };

/** Registers a test; its body gets instances on one storage. */
export type QueueTest = (
  name: string,
  body: (backends: readonly QueueBackend[]) => Promise<void>,
  options?: { readonly maxRecordBytes: number },
) => void;

const KEY = makeKey("alice", "t-1");

/** Registers the tests of the contract. */
export function messageQueueContract(queueTest: QueueTest): void {
  queueTest("queue_is_first_in_first_out", async ([one, other]) => {
    const messages = ["a", "", "1", "ü🙂\u0000\n", "a"];
    for (const message of messages) await one!.queues.push(KEY, message);
    assertEquals(await other!.queues.shift(KEY), "a");
    assertEquals(await one!.queues.shift(KEY), "");
    assertEquals(await other!.queues.drain(KEY), messages.slice(2));
    assertEquals(await one!.queues.drain(KEY), []);
    assertEquals(await one!.queues.shift(KEY), undefined);
  });

  queueTest("queues_of_two_keys_have_nothing_in_common", async ([one]) => {
    const keys = [
      KEY,
      makeKey("alice", "t-2"),
      makeKey("bob", "t-1"),
      makeKey("alice:t-1", "x"),
      makeKey("al", "ice:t-1"),
    ];
    for (const key of keys) await one!.queues.push(key, key);
    for (const key of keys) {
      assertEquals(await one!.queues.drain(key), [key]);
    }
  });

  queueTest("queue_is_not_the_record_of_its_key", async ([one]) => {
    const meta = { expiresAt: Date.now() + 60_000 };
    await one!.queues.push(KEY, "message");
    await one!.put(KEY, "record", meta);
    assertEquals((await one!.get(KEY)).data, "record");
    assertEquals(await one!.queues.shift(KEY), "message");
  });

  queueTest("racing_pushes_never_overshoot_the_bound", async (backends) => {
    const outcomes = await Promise.allSettled(
      Array.from(
        { length: 101 },
        (_, n) =>
          backends[n % backends.length]!.queues
            .push(KEY, `${n}`, { maxLength: 100 }),
      ),
    );
    const refused = outcomes.filter(({ status }) => status === "rejected");
    assertEquals(refused.length, 1);
    const { reason } = refused[0] as PromiseRejectedResult;
    assert(reason instanceof QueueFullError);
    assertEquals([reason.length, reason.maxLength], [100, 100]);
    assertEquals((await backends[0]!.queues.drain(KEY)).length, 100);
  });

  queueTest("bound_of_0_refuses_all", async ([one]) => {
    const push = () => one!.queues.push(KEY, "x", { maxLength: 0 });
    await assertRejects(push, QueueFullError);
    assertEquals(await one!.queues.shift(KEY), undefined);
  });

  queueTest("racing_receivers_get_each_message_once", async (backends) => {
    const messages = Array.from({ length: 60 }, (_, n) => `${n}`);
    for (const message of messages) {
      await backends[0]!.queues.push(KEY, message);
    }
    const received = await Promise.all(
      Array.from({ length: 70 }, (_, n) => {
        const { queues } = backends[n % backends.length]!;
        return n % 20 === 19 ? queues.drain(KEY) : queues.shift(KEY);
      }),
    );
    const all = received.flat().filter((message) => message !== undefined);
    assertEquals(all.map(Number).toSorted((a, b) => a - b), [
      ...messages.keys(),
    ]);
  });

  queueTest("queue_ends_with_its_record", async ([one, other]) => {
    await before(one!, async (expiresAt) => {
      await one!.queues.drain(KEY);
      await one!.put(KEY, "x", { expiresAt });
      await one!.queues.push(KEY, "message", { ttlMs: 3600_000 });
      await one!.get(KEY);
    });
    await untilGone(one!, KEY);
    assertEquals(await other!.queues.drain(KEY), []);
  });

  queueTest("push_follows_a_record_that_lives_longer", async ([one]) => {
    const twin = makeKey("alice", "t-2");
    await before(one!, async (expiresAt) => {
      await one!.queues.drain(KEY);
      await one!.put(KEY, "x", { expiresAt });
      await one!.put(twin, "x", { expiresAt: expiresAt + 1 });
      await one!.queues.push(KEY, "first");
      await one!.put(KEY, "x", { expiresAt: expiresAt + 60_000 });
      await one!.queues.push(KEY, "second");
      await one!.get(twin);
    });
    await untilGone(one!, twin);
    assertEquals(await one!.queues.drain(KEY), ["first", "second"]);
  });

  queueTest("queue_without_a_record_ends_by_itself", async ([one]) => {
    const { queues } = one!;
    await queues.push(KEY, "message", { ttlMs: 1 });
    await waitUntil("the queue gone", async () => {
      if ((await queues.drain(KEY)).length === 0) return true;
      // Asked too early, and so emptied: once more.
      await queues.push(KEY, "message", { ttlMs: 1 });
    });
  });

  queueTest("queue_of_a_record_without_end_ends_too", async ([one]) => {
    await one!.put(KEY, "x");
    try {
      await one!.queues.push(KEY, "message", { ttlMs: 60_000 });
      assertEquals(await one!.queues.shift(KEY), "message");
      await one!.queues.push(KEY, "left", { ttlMs: 60_000 });
    } finally {
      // The fixture fails for any key without an end; the queue must have one.
      await one!.delete(KEY);
    }
  });

  queueTest("queue_refuses_what_it_cannot_hold", async ([one]) => {
    const { queues } = one!;
    await assertRejects(() => queues.push(KEY, "\ud800"), InvalidDataError);
    await assertRejects(
      () => queues.push(KEY, "x".repeat(101)),
      CapacityExceededError,
    );
    await queues.push(KEY, "x".repeat(100));
    for (const maxLength of [-1, 0.5, NaN]) {
      await assertRejects(
        () => queues.push(KEY, "", { maxLength }),
        RangeError,
      );
    }
    for (const ttlMs of [0, -1, 0.5, NaN, Infinity]) {
      await assertRejects(() => queues.push(KEY, "", { ttlMs }), RangeError);
    }
    for (const key of ["", "alice", ":t-1", "alice:", "{alice}:t-1"]) {
      await assertRejects(() => queues.push(key, "x"), InvalidKeyError);
      await assertRejects(() => queues.shift(key), InvalidKeyError);
      await assertRejects(() => queues.drain(key), InvalidKeyError);
    }
    assertEquals((await queues.drain(KEY)).length, 1);
  }, { maxRecordBytes: 100 });

  queueTest("queues_of_a_closed_backend_are_closed", async ([one]) => {
    const { queues } = one!;
    await one!.close();
    for (
      const call of [
        () => queues.push(KEY, "x"),
        () => queues.shift(KEY),
        () => queues.drain(KEY),
      ]
    ) {
      const error = await assertRejects<BackendError>(call, BackendError);
      assert(error.closed);
    }
  });
}
