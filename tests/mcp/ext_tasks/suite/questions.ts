/** Questions of a task, and answers that come in elsewhere. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { TaskCancelledError } from "../../../../mod.ts";
import { deadline, waitUntil } from "../../../support/wait.ts";
import { ALICE, elicit, type StoreTest } from "./env.ts";

export const questionTests: readonly StoreTest[] = [
  {
    name: "asked on A, answered on B in parts; the first answer counts",
    async body(two) {
      const taskId = await two.create();
      const one = elicit("one?");
      const other = elicit("other?");
      const asking = two.a.handle(taskId).requireInput({ one, other });
      const asked = await two.until(taskId, "input_required");
      assertEquals(asked.inputRequests, { one, other });
      const update = (answers: Record<string, unknown>) =>
        two.b.update(taskId, answers, ALICE);
      assert(await update({ one: { action: "accept" }, unknown: {} }));
      const half = await two.seen(taskId, "input_required");
      assertEquals(half.inputRequests, { other });
      assert(await update({ one: { action: "decline" } }), "answered before");
      assertEquals(await two.b.get(taskId, ALICE), half);
      assert(await update({ other: { action: "cancel" }, one: {} }));
      assertEquals(await deadline("the answers", asking), {
        one: { action: "accept" },
        other: { action: "cancel" },
      });
      assertEquals((await two.b.get(taskId, ALICE))?.status, "working");
      assert(await update({ other: { action: "accept" } }), "nothing is asked");
    },
  },
  {
    name: "the first of many answers to one key counts, on all instances",
    async body(two) {
      const taskId = await two.create();
      const asking = two.a.handle(taskId).requireInput({ key: elicit("?") });
      await two.until(taskId, "input_required");
      const numbers = [...Array(20).keys()];
      const stores = [two.a, two.b];
      assertEquals(
        new Set(
          await Promise.all(numbers.map((number) =>
            stores[number % 2]!
              .update(taskId, { key: { number } }, ALICE)
          )),
        ),
        new Set([true]),
      );
      const { key } = await deadline("the answer", asking);
      const { inputResponses } = await two.tasks.b.get(taskId, "alice");
      assertEquals(inputResponses, { key });
    },
  },
  {
    name: "a key is used once in the life of a task, on whatever instance",
    async body(two) {
      const taskId = await two.create();
      const keys: string[] = [];
      const askAndAnswer = async (from: "a" | "b", n: number) => {
        const store = two.store(from, { leaseMs: null });
        const asking = store.handle(taskId, ALICE)
          .requireInput({ name: elicit("name?") });
        const task = await two.until(taskId, "input_required");
        const key = Object.keys(task.inputRequests)[0]!;
        keys.push(key);
        await two.b.update(taskId, { [key]: { n } }, ALICE);
        assertEquals(await deadline("answered", asking), { name: { n } });
        store.close();
      };
      await askAndAnswer("a", 1);
      await askAndAnswer("b", 2);
      await askAndAnswer("a", 3);
      assertEquals(keys, ["name", "name-2", "name-3"]);
    },
  },
  {
    name: "several questions wait at once, and answers go with the next one",
    async body(two) {
      const taskId = await two.create();
      const handle = two.a.handle(taskId);
      const who = handle.requireInput({ who: elicit("who?") });
      const sure = handle.requireInput({ sure: elicit("sure?") });
      await waitUntil("both are asked", async () => {
        const task = await two.b.get(taskId, ALICE);
        return task?.status === "input_required" &&
          Object.keys(task.inputRequests).length === 2;
      });
      await two.b.update(taskId, { who: { n: 1 } }, ALICE);
      assertEquals(await deadline("who", who), { who: { n: 1 } });
      assertEquals((await two.b.get(taskId, ALICE))?.status, "input_required");
      const more = handle.requireInput({ more: elicit("more?") });
      await waitUntil("it is asked", async () => {
        const { inputRequests } = await two.tasks.b.get(taskId, "alice");
        return inputRequests?.more;
      });
      // What was handed out is kept no longer.
      const { inputResponses } = await two.tasks.b.get(taskId, "alice");
      assertEquals(inputResponses, undefined);
      await two.b.update(taskId, { sure: { n: 2 }, more: { n: 3 } }, ALICE);
      assertEquals(await deadline("sure", sure), { sure: { n: 2 } });
      assertEquals(await deadline("more", more), { more: { n: 3 } });
      await handle.complete({ content: [] });
      const record = await two.tasks.b.get(taskId, "alice");
      assertEquals(record.inputResponses, undefined);
    },
  },
  {
    name: "an answer that was taken is dropped by whatever is written next",
    async body(two) {
      const taskId = await two.create();
      const handle = two.a.handle(taskId);
      const stored = () => two.tasks.b.get(taskId, "alice");
      const pin = handle.requireInput({ pin: elicit("PIN?") });
      const name = handle.requireInput({ name: elicit("name?") });
      await waitUntil("both are asked", async () => {
        const { inputRequests = {} } = await stored();
        return Object.keys(inputRequests).length === 2;
      });
      await two.b.update(taskId, { pin: { n: 1 } }, ALICE);
      assertEquals(await deadline("the PIN", pin), { pin: { n: 1 } });
      await handle.status("one");
      assertEquals((await stored()).inputResponses, undefined);
      await two.b.update(taskId, { name: { n: 2 } }, ALICE);
      assertEquals(await deadline("the name", name), { name: { n: 2 } });
      await handle.status("two");
      assertEquals((await stored()).inputResponses, undefined);
    },
  },
  {
    name: "the end of a task leaves no answer that was not taken",
    async body(two) {
      const taskId = await two.create();
      const asking = two.a.handle(taskId)
        .requireInput({ pin: elicit("PIN?"), name: elicit("name?") });
      await two.until(taskId, "input_required");
      await two.b.update(taskId, { pin: { n: 1 } }, ALICE);
      await two.b.cancel(taskId, ALICE);
      const record = await two.tasks.b.get(taskId, "alice");
      assertEquals(record.inputResponses, undefined);
      await assertRejects(() => asking, TaskCancelledError);
    },
  },
  {
    name: "a cancellation ends the wait for an answer",
    async body(two) {
      const taskId = await two.create();
      const asking = two.a.handle(taskId).requireInput({ key: elicit("?") });
      const rejected = assertRejects(
        () => asking,
        TaskCancelledError,
        "was cancelled",
      );
      await two.until(taskId, "input_required");
      await two.b.cancel(taskId, ALICE);
      await deadline("it rejects", rejected);
      assertEquals(Object.keys((await two.b.get(taskId, ALICE))!).sort(), [
        "createdAt",
        "lastUpdatedAt",
        "pollIntervalMs",
        "status",
        "taskId",
        "ttlMs",
      ]);
    },
  },
  {
    name: "nothing is no question, and strange keys are keys",
    async body(two) {
      const taskId = await two.create();
      const handle = two.a.handle(taskId);
      await assertRejects(() => handle.requireInput({}), TypeError, "nothing");
      const requests = JSON.parse(
        JSON.stringify({ "": elicit("?"), constructor: elicit("?") })
          .replace(/}$/, `,"__proto__":${JSON.stringify(elicit("?"))}}`),
      );
      const asking = handle.requireInput(requests);
      const task = await two.until(taskId, "input_required");
      const keys = Object.keys(task.inputRequests).sort();
      assertEquals(keys, ["", "__proto__", "constructor"]);
      // What every object inherits is no answer.
      assert(await two.b.update(taskId, {}, ALICE));
      assertEquals(await two.seen(taskId, "input_required"), task);
      const answers = JSON.parse(
        '{"": {"n": 1}, "constructor": {"n": 2}, "__proto__": {"n": 3}}',
      );
      await two.b.update(taskId, answers, ALICE);
      assertEquals(
        Object.entries(await deadline("answered", asking)).sort(),
        Object.entries(answers).sort(),
      );
    },
  },
];
