/** The work on a task: where it is done, and what becomes of it when it ends. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ExtTaskStore, LeaseHeldError, makeKey } from "../../../../mod.ts";
import { waitUntil } from "../../../support/wait.ts";
import { ALICE, elicit, type StoreTest } from "./env.ts";

export const workerTests: readonly StoreTest[] = [
  {
    name: "what A has made, B works on, by its context",
    async body(two) {
      const context = { tool: "greet", args: { name: null, deep: [{ n: 1 }] } };
      const taskId = await two.create(context);
      assertEquals(await two.a.context(taskId), context);
      assertEquals(await two.b.context(taskId, ALICE), context);
      assertEquals(await two.b.forOwner("alice").context(taskId), context);
      // It knows nothing of a task it has not made.
      assertThrows(() => two.b.handle(taskId), Error, "name its owner");
      await assertRejects(() => two.b.context(taskId), Error, "not found");
      await two.b.handle(taskId, ALICE).complete({ content: [] });
      assertEquals((await two.a.get(taskId, ALICE))?.status, "completed");
      const { taskId: bare } = await two.a.create({ ttlMs: 1000, ...ALICE });
      assertEquals(await two.a.context(bare), undefined);
    },
  },
  {
    name: "all of one process share a handle, and another process has none",
    async body(two) {
      const taskId = await two.create();
      const handle = two.a.handle(taskId);
      assert(two.a.handle(taskId) === handle);
      assert(two.a.forOwner("alice").handle(taskId) === handle);
      await handle.status("held");
      const other = two.b.handle(taskId, ALICE);
      for (
        const write of [
          () => other.status("mine"),
          () => other.complete({ content: [] }),
          () => other.requireInput({ key: {} }),
        ]
      ) {
        await assertRejects(write, LeaseHeldError, 'held by "a"');
      }
      assert(other.signal.reason instanceof LeaseHeldError);
      await handle.complete({ content: [] });
      assertEquals((await two.b.get(taskId, ALICE))?.statusMessage, "held");
    },
  },
  {
    name: "a lease is renewed for as long as the work takes",
    async body(two) {
      const store = two.store("a", { leaseMs: 300 });
      const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
      const handle = store.handle(taskId);
      await handle.status("at work");
      const { lease } = await two.tasks.b.get(taskId, "alice");
      assertEquals(lease?.holder, "a");
      await waitUntil(
        "three lease times have passed",
        () => Date.now() > Date.parse(lease!.expiresAt) + 900,
      );
      assertEquals((await two.b.get(taskId, ALICE))?.status, "working");
      assert(!handle.signal.aborted);
      await handle.complete({ content: [] });
      assertEquals((await two.b.get(taskId, ALICE))?.status, "completed");
    },
  },
  {
    name: "a task whose process has gone is failed, once, and stays so",
    async body(two) {
      const store = two.store("a", { leaseMs: 200 });
      const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
      const handle = store.handle(taskId);
      await handle.status("at work");
      store.close();
      assert(handle.signal.aborted);
      const task = await two.until(taskId, "failed");
      assert(String(task.error.message).includes("worker lost"));
      await handle.complete({ content: [] });
      assertEquals(await two.b.get(taskId, ALICE), task);
    },
  },
  {
    name: "what is written after the lease is over is refused, unread as it is",
    async body(two) {
      const store = two.store("a", { leaseMs: 200 });
      const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
      const handle = store.handle(taskId);
      await handle.status("at work");
      const { lease } = await two.tasks.b.get(taskId, "alice");
      store.close();
      await waitUntil(
        "the lease is over",
        () => Date.now() > Date.parse(lease!.expiresAt) + 100,
      );
      await handle.complete({ content: [] });
      const task = await two.seen(taskId, "failed");
      assert(String(task.error.message).includes("worker lost"));
    },
  },
  {
    name: "what is written before the lease is over is stored after a close",
    async body(two) {
      const taskId = await two.create();
      const handle = two.a.handle(taskId);
      await handle.status("at work");
      two.a.close();
      await handle.complete({ content: [] });
      assertEquals((await two.b.get(taskId, ALICE))?.status, "completed");
    },
  },
  {
    name: "without leases any process writes to the task, in turn",
    async body(two) {
      const taskId = await two.create();
      for (const  of of["a", "b", "a"] as const) {
        const store = two.store(of, { leaseMs: null });
        await store.handle(taskId, ALICE).status(`seen by ${of}`);
        const { lease, task } = await two.tasks.b.get(taskId, "alice");
        assertEquals([lease, task.statusMessage], [undefined, `seen by ${of}`]);
        store.close();
      }
    },
  },
  {
    name: "context, questions, answers and results are sealed with the task",
    options: {
      encryption: { keys: [new Uint8Array(32).fill(7)] },
    },
    async body(two) {
      const secret = "a secret of alice's";
      const taskId = await two.create({ secret });
      const handle = two.a.handle(taskId);
      const asking = handle.requireInput({ key: elicit(secret) });
      await two.until(taskId, "input_required");
      const stored = async () => {
        const key = makeKey("alice", taskId);
        const { data } = await two.tasks.b.backend.get(key);
        assert(!data.includes(secret), data);
      };
      await stored();
      await two.b.update(taskId, { key: { secret } }, ALICE);
      assertEquals(await asking, { key: { secret } });
      await stored();
      await handle.complete({ content: [{ type: "text", text: secret }] });
      await stored();
      const { result } = await two.seen(taskId, "completed");
      assertEquals(result.content, [{ type: "text", text: secret }]);
      assertEquals(await two.b.context(taskId, ALICE), { secret });
    },
  },
  {
    name: "options out of their range are refused",
    body({ tasks }) {
      for (const leaseMs of [0, 99, 1.5, NaN, Infinity]) {
        assertThrows(() => new ExtTaskStore(tasks.a, { leaseMs }), RangeError);
      }
      assertThrows(() => new ExtTaskStore(tasks.a, { holder: "" }), TypeError);
      const owner = "alice" as never;
      assertThrows(() => new ExtTaskStore(tasks.a, { owner }), TypeError);
      return Promise.resolve();
    },
  },
];
