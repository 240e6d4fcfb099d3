/**
 * The part of the suite about input that a task asks its client for.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Json } from "../client.ts";
import type { ExtensionTest } from "./two.ts";
import { waitUntil } from "../../../support/wait.ts";

const accept = (content: Json) => ({ action: "accept", content });

/** Waits until a task has open requests, and returns their keys. */
async function openKeys(
  get: () => Promise<Json>,
  count: number,
): Promise<string[]> {
  let keys: string[] = [];
  await waitUntil(`${count} requests are open`, async () => {
    keys = Object.keys((await get()).inputRequests ?? {}).sort();
    return keys.length === count;
  });
  return keys;
}

/** The tests. */
export const inputTests: ExtensionTest[] = [
  {
    name: "an answer given to one instance goes on with the handler on another",
    body: async ({ a, b }) => {
      const id = await a.start("confirm_delete", { filename: "f" });
      const { inputRequests } = await b.until(id, "input_required");
      assertEquals(inputRequests, {
        confirm: {
          method: "elicitation/create",
          params: {
            message: "Delete f?",
            requestedSchema: {
              type: "object",
              properties: { confirm: { type: "boolean" } },
            },
          },
        },
      });
      const ack = await b.update(id, { confirm: accept({ confirm: true }) });
      assertEquals(ack.resultType, "complete");
      assert(!("taskId" in ack) && !("status" in ack));
      const { result } = await b.until(id);
      assertEquals(result.content[0].text, "deleted f");
    },
  },
  {
    name: "a partial answer leaves the rest open, on either instance",
    body: async ({ a, b }) => {
      const id = await a.start("multi_input");
      assertEquals(await openKeys(() => b.get(id), 2), ["sure", "who"]);
      await b.update(id, { who: accept({ name: "Ada" }) });
      const half = await a.get(id);
      assertEquals(half.status, "input_required");
      assertEquals(Object.keys(half.inputRequests), ["sure"]);
      await a.update(id, { sure: accept({ confirm: true }) });
      const { result } = await b.until(id);
      assertEquals(JSON.parse(result.content[0].text), [
        { name: "Ada" },
        { confirm: true },
      ]);
    },
  },
  {
    name: "unknown, answered and malformed keys are ignored",
    body: async ({ a, b }) => {
      const id = await a.start("multi_input");
      await openKeys(() => b.get(id), 2);
      await b.update(id, {
        nobody: accept({}),
        constructor: accept({}),
        sure: "no object",
      });
      assertEquals(await openKeys(() => a.get(id), 2), ["sure", "who"]);
      await b.update(id, { who: accept({ name: "first" }) });
      await a.update(id, { who: accept({ name: "second" }) });
      await a.update(id, { sure: accept({ confirm: true }) });
      const { result } = await b.until(id);
      assertEquals(JSON.parse(result.content[0].text)[0], { name: "first" });
      assertEquals(
        (await b.update(id, { who: accept({}) })).resultType,
        "complete",
      );
      // Of a task that asks nothing: acknowledged, and nothing changes.
      const busy = await a.start("slow_compute", { seconds: 60, label: "x" });
      const before = await b.get(busy);
      const ack = await b.update(busy, { who: accept({}) });
      assertEquals(ack.resultType, "complete");
      assertEquals(await b.get(busy), before);
    },
  },
  {
    name: "of the same answer given twice at once, one is taken",
    body: async ({ a, b }) => {
      const id = await a.start("multi_input");
      await openKeys(() => b.get(id), 2);
      const names = ["p", "q", "r", "s"];
      await Promise.all(
        names.map((name, i) =>
          (i % 2 ? a : b).update(id, { who: accept({ name }) })
        ),
      );
      await a.update(id, { sure: accept({}) });
      const { result } = await b.until(id);
      const [{ name }] = JSON.parse(result.content[0].text);
      assert(names.includes(name));
    },
  },
  {
    name:
      "a key is used once in the life of a task, whatever the handler calls it",
    body: async ({ a, b, stores }) => {
      const id = await a.start("same_name_twice");
      assertEquals(await openKeys(() => b.get(id), 1), ["name"]);
      assertEquals((await b.get(id)).statusMessage, "asking first?");
      await b.update(id, { name: accept({ name: "one" }) });
      await waitUntil("the second request is open", async () => {
        const { inputRequests = {} } = await b.get(id);
        return Object.keys(inputRequests)[0] === "name-2";
      });
      // The key of before is no longer asked for.
      await b.update(id, { name: accept({ name: "late" }) });
      await b.update(id, { "name-2": accept({ name: "two" }) });
      const { result } = await b.until(id);
      assertEquals(result.content[0].text, "one two");
      const { variables } = await stores.b.get(id, "conformance");
      assertEquals(variables, { answers: ["one", "two"] });
    },
  },
  {
    name:
      "what the client cannot answer is not asked: the task fails with -32021",
    body: async (two) => {
      const mute = two.client("a", {
        capabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } },
      });
      const id = await mute.start("confirm_delete", { filename: "f" });
      const { status, error } = await two.b.until(id);
      assertEquals(status, "failed");
      assertEquals(error.code, -32021);
      assertEquals(error.data, { requiredCapabilities: { elicitation: {} } });
    },
  },
  {
    name: "a task that waits for input can be cancelled",
    body: async (two) => {
      const id = await two.a.start("confirm_delete", { filename: "f" });
      await two.b.until(id, "input_required");
      await two.b.cancel(id);
      const task = await two.a.get(id);
      assertEquals(task.status, "cancelled");
      assert(!("inputRequests" in task));
      const signal = await two.signalOf(id);
      await waitUntil("the signal aborts", () => signal.aborted);
      const late = await two.a.update(id, { confirm: accept({}) });
      assertEquals(late.resultType, "complete");
    },
  },
  {
    name: "input before the task is a round of the call itself",
    body: async ({ a, b }) => {
      const first = await a.call("test_tool_with_task");
      assertEquals(first.resultType, "input_required");
      assert(!("taskId" in first));
      const second = await b.call("test_tool_with_task", {}, {
        inputResponses: { user_name: accept({ name: "Ada" }) },
      });
      assertEquals(second.resultType, "task");
      const { result } = await a.until(second.taskId);
      assertEquals(result.content[0].text, "Hello, Ada!");
    },
  },
];
