/** Making, reading, ending and cancelling tasks. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { TaskCancelledError } from "../../../../mod.ts";
import { deadline, waitUntil } from "../../../support/wait.ts";
import { ALICE, elicit, type StoreTest } from "./env.ts";

/** A time as the wire has it. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export const taskTests: readonly StoreTest[] = [
  {
    name: "a task is there on every instance once it is made",
    async body({ a, b }) {
      const made = await a.create({
        ttlMs: 60_000,
        pollIntervalMs: 50,
        ...ALICE,
      });
      const { taskId, createdAt, lastUpdatedAt, ...rest } = made;
      assertEquals(rest, {
        status: "working",
        ttlMs: 60_000,
        pollIntervalMs: 50,
      });
      assertMatch(createdAt, RFC_3339);
      assertEquals(lastUpdatedAt, createdAt);
      assertEquals(await b.get(taskId, ALICE), made);
    },
  },
  {
    name: "the longest TTL stands for none, and 0 for the shortest",
    options: { limits: { maxTtlMs: 100_000, defaultTtlMs: 1000 } },
    async body({ a }) {
      const ttlOf = async (ttlMs: number | null) =>
        (await a.create({ ttlMs, ...ALICE })).ttlMs;
      assertEquals(await ttlOf(null), 100_000);
      assertEquals(await ttlOf(100_001), 100_000);
      assertEquals(await ttlOf(99_999), 99_999);
      assertEquals(await ttlOf(0), 1);
    },
  },
  {
    name: "a task without an end has none where the limits allow it",
    options: { limits: { maxTtlMs: Infinity } },
    async body({ a, tasks }) {
      const { taskId, ttlMs } = await a.create({ ttlMs: null, ...ALICE });
      assertEquals(ttlMs, null);
      assert(await tasks.b.delete(taskId, "alice"));
    },
  },
  {
    name: "times that are no integers from 0 are refused",
    async body({ a }) {
      for (const ttlMs of [-1, 1.5, NaN, Infinity]) {
        await assertRejects(() => a.create({ ttlMs, ...ALICE }), RangeError);
      }
      for (const pollIntervalMs of [-1, 1.5, NaN]) {
        await assertRejects(
          () => a.create({ ttlMs: 1000, pollIntervalMs, ...ALICE }),
          RangeError,
        );
      }
    },
  },
  {
    name: "a message and a result are seen on every instance",
    async body(two) {
      const { a, b } = two;
      const taskId = await two.create();
      const handle = a.handle(taskId);
      assertEquals(handle.taskId, taskId);
      await handle.status("half way");
      assertEquals((await b.get(taskId, ALICE))?.statusMessage, "half way");
      const content = [{ type: "text", text: "done" }];
      await handle.complete({ content, structuredContent: { n: 1 } });
      const task = await two.seen(taskId, "completed");
      assertEquals(task.statusMessage, "half way");
      assertEquals(task.result, {
        content,
        structuredContent: { n: 1 },
        resultType: "complete",
      });
      assert(!handle.signal.aborted);
    },
  },
  {
    name: "a task fails with the error it is given",
    async body(two) {
      const taskId = await two.create();
      const error = { code: -32000, message: "upstream down", data: { at: 1 } };
      await two.a.handle(taskId).fail(error);
      const task = await two.seen(taskId, "failed");
      assertEquals(task.error, error);
    },
  },
  {
    name: "what ended first counts, and what comes later is ignored",
    async body(two) {
      const taskId = await two.create();
      const handle = two.a.handle(taskId);
      await handle.complete({ content: [] });
      const before = await two.b.get(taskId, ALICE);
      await handle.status("late");
      await handle.fail({ code: 1, message: "late" });
      await handle.complete({ content: [{ type: "text", text: "late" }] });
      await two.a.handle(taskId).complete({ late: true });
      await assertRejects(
        () => handle.requireInput({ late: elicit("?") }),
        Error,
        "no longer running",
      );
      assertEquals(await two.b.update(taskId, { late: {} }, ALICE), true);
      assertEquals(await two.b.cancel(taskId, ALICE), true);
      assertEquals(await two.b.get(taskId, ALICE), before);
    },
  },
  {
    name: "a result that cannot be stored fails the task and says why",
    async body(two) {
      for (
        const [result, reason] of [
          [{ content: [], n: 1n }, "BigInt"],
          [{ content: ["x".repeat(9 * 1024 * 1024)] }, "over the limit"],
        ] as const
      ) {
        const taskId = await two.create();
        await two.a.handle(taskId).complete(result);
        const task = await two.seen(taskId, "failed");
        assertEquals(task.error.code, -32603);
        assert(String(task.error.message).includes(reason));
        assert(String(two.errors.pop()).includes(reason));
      }
    },
  },
  {
    name: "a cancellation on B reaches the work on A",
    async body(two) {
      const taskId = await two.create();
      const handle = two.a.handle(taskId);
      await handle.status("at work");
      const aborted = new Promise((resolve) => handle.signal.onabort = resolve);
      assertEquals(await two.b.cancel(taskId, ALICE), true);
      await deadline("the signal aborts", aborted);
      assert(handle.signal.reason instanceof TaskCancelledError);
      await handle.complete({ content: [] });
      const { status, statusMessage } = (await two.b.get(taskId, ALICE))!;
      assertEquals([status, statusMessage], ["cancelled", "at work"]);
      assertEquals(await two.b.cancel(taskId, ALICE), true, "once more");
    },
  },
  {
    name: "a cancellation stops the work of its own process at once",
    async body(two) {
      const taskId = await two.create();
      const { signal } = two.a.handle(taskId);
      await two.a.cancel(taskId, ALICE);
      assert(signal.aborted);
      assert(two.a.handle(taskId).signal !== signal);
    },
  },
  {
    name: "missing, expired and another's are one like the other",
    async body({ a, b, tasks }) {
      const { taskId: expired } = await a.create({ ttlMs: 50, ...ALICE });
      const { signal } = a.handle(expired);
      await waitUntil(
        "the task expires",
        async () => await b.get(expired, ALICE) === undefined,
      );
      await waitUntil("the signal aborts", () => signal.aborted);
      const { task: { taskId: bobs } } = await tasks.a
        .create("bob", "tools/call", { ttlMs: 60_000 });
      const strange = ["", "a:b", "\ud800", "__proto__", "x".repeat(100_000)];
      for (const taskId of [expired, bobs, "missing", ...strange]) {
        for (const store of [a, b]) {
          assertEquals(await store.get(taskId, ALICE), undefined);
          assertEquals(await store.update(taskId, {}, ALICE), false);
          assertEquals(await store.cancel(taskId, ALICE), false);
          assertEquals(await store.context(taskId, ALICE), undefined);
          assertThrows(() => store.handle(taskId), Error, "not found");
        }
      }
      assertEquals((await tasks.b.get(bobs, "bob")).task.status, "working");
    },
  },
];
