/**
 * The part of the suite about `subscriptions/listen`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { ExtensionTest } from "./two.ts";

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";

/** The tests. */
export const listenTests: ExtensionTest[] = [
  {
    name: "listening on one instance tells of a task on another, to its end",
    body: async ({ a, b }) => {
      const id = await a.start("confirm_delete", { filename: "f" });
      const listening = await b.listen({ taskIds: [id] });
      const ack = await listening.next();
      assertEquals(ack?.method, "notifications/subscriptions/acknowledged");
      assertEquals(ack?.params.notifications, { taskIds: [id] });
      const waits = await listening.task(id, "input_required");
      assertEquals(Object.keys(waits.inputRequests), ["confirm"]);
      assert(waits._meta[SUBSCRIPTION] === ack?.params._meta[SUBSCRIPTION]);
      await a.update(id, {
        confirm: { action: "accept", content: { confirm: true } },
      });
      const done = await listening.task(id, "completed");
      assertEquals(done.result, {
        content: [{ type: "text", text: "deleted f" }],
        resultType: "complete",
      });
      const { _meta, ...shown } = done;
      const { _meta: _, resultType: __, ...got } = await a.get(id);
      assertEquals(shown, got);
      await listening.leave();
    },
  },
  {
    name: "a change of state is one notification: renewed leases are none",
    body: async ({ a, b }) => {
      const id = await a.start("slow_compute", { seconds: 1.2, label: "x" });
      const listening = await b.listen({ taskIds: [id, id] });
      const statuses: string[] = [];
      await listening.until("the end", ({ params }) => {
        if (params.status) statuses.push(params.status);
        return params.status === "completed";
      });
      assertEquals(statuses, ["working", "completed"]);
      await listening.leave();
    },
  },
  {
    name: "foreign and unknown tasks are not acknowledged, and never told of",
    body: async (two) => {
      const alice = two.client("a", { owner: "alice" });
      const bob = two.client("b", { owner: "bob" });
      const hers = await alice.start("slow_compute", {
        seconds: 60,
        label: "x",
      });
      const his = await bob.start("slow_compute", { seconds: 60, label: "x" });
      const listening = await bob.listen({ taskIds: [hers, "none", his, ""] });
      const ack = await listening.next();
      assertEquals(ack?.params.notifications, { taskIds: [his] });
      await alice.cancel(hers);
      await bob.cancel(his);
      await listening.until("his end", ({ params }) => {
        assertEquals(params.taskId, his);
        return params.status === "cancelled";
      });
      await listening.leave();
      // Where nothing is left to tell of, the stream ends.
      const nothing = await bob.listen({ taskIds: [hers] });
      assertEquals((await nothing.next())?.params.notifications, {
        taskIds: [],
      });
      assertEquals((await nothing.next())?.result.resultType, "complete");
      assertEquals(await nothing.next(), undefined);
    },
  },
  {
    name: "tasks are merged with what the handler itself tells of",
    body: async ({ a, b, servers }) => {
      const id = await a.start("slow_compute", { seconds: 60, label: "x" });
      const listening = await b.listen({
        toolsListChanged: true,
        taskIds: [id],
      });
      const ack = await listening.next();
      assertEquals(ack?.params.notifications, {
        toolsListChanged: true,
        taskIds: [id],
      });
      servers.b.handler.notify.toolsChanged();
      await listening.until(
        "the tools changed",
        ({ method }) => method === "notifications/tools/list_changed",
      );
      await a.cancel(id);
      await listening.task(id, "cancelled");
      servers.b.handler.notify.toolsChanged();
      await listening.until(
        "the tools changed again",
        ({ method }) => method === "notifications/tools/list_changed",
      );
      await listening.leave();
      // Without tasks it is the handler's alone.
      const plain = await b.listen({ toolsListChanged: true });
      assertEquals((await plain.next())?.params.notifications, {
        toolsListChanged: true,
      });
      await plain.leave();
    },
  },
  {
    name: "who does not declare tasks cannot listen to them",
    body: async (two) => {
      const old = two.client("a", { capabilities: {} });
      const { response } = await old.listen({ taskIds: ["t"] });
      assertEquals(response.status, 400);
      const { error } = await response.json();
      assertEquals(error.code, -32021);
      assertEquals(error.data.requiredCapabilities, {
        extensions: { "io.modelcontextprotocol/tasks": {} },
      });
    },
  },
  {
    name: "taskIds that are no strings, or too many, are error -32602",
    body: async ({ a }) => {
      const many = Array.from({ length: 1001 }, (_, i) => `t${i}`);
      for (const taskIds of ["t", [7], { 0: "t" }, many]) {
        const { response } = await a.listen({ taskIds });
        const { error } = await response.json();
        assertEquals(error.code, -32602, String(taskIds).slice(0, 20));
      }
    },
  },
  {
    name: "drain() ends the streams, and says so",
    body: async ({ a, b, servers }) => {
      const id = await a.start("slow_compute", { seconds: 60, label: "x" });
      const listening = await b.listen({ taskIds: [id] });
      await listening.task(id, "working");
      await servers.b.extension.drain({ timeoutMs: 0 });
      const end = await listening.next();
      assertEquals(end?.result.resultType, "complete");
      assertEquals(await listening.next(), undefined);
    },
  },
];
