/**
 * The part of the suite about tasks from their creation to their end.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Json, RpcClientOptions } from "../client.ts";
import type { ExtensionTest } from "./two.ts";
import { waitUntil } from "../../../support/wait.ts";

/** A client that knows no tasks. */
const NO_TASKS: RpcClientOptions = { capabilities: {} };

const MISSING = {
  requiredCapabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } },
};

/** The tests. */
export const taskTests: ExtensionTest[] = [
  {
    name: "a task is handed out only once every instance knows it",
    body: async ({ a, b }) => {
      const created = await a.call("slow_compute", { seconds: 60, label: "x" });
      assertEquals(created.resultType, "task");
      assertEquals(created.status, "working");
      assertEquals(created.ttlMs, 3_600_000);
      assertEquals(created.pollIntervalMs, 500);
      assert(/^[0-9a-f-]{36}$/.test(created.taskId));
      for (const absent of ["result", "error", "inputRequests", "ttl"]) {
        assert(!(absent in created), absent);
      }
      const seen = await b.get(created.taskId);
      assertEquals(seen.status, "working");
      assertEquals(seen.resultType, "complete");
      assertEquals(seen.createdAt, created.createdAt);
    },
  },
  {
    name: "a result is inlined, and says that it is complete",
    body: async ({ a, b }) => {
      const id = await a.start("slow_compute", { seconds: 0.01, label: "x" });
      const { status, result } = await b.until(id);
      assertEquals(status, "completed");
      assertEquals(result, {
        content: [{ type: "text", text: "computed x" }],
        resultType: "complete",
      });
    },
  },
  {
    name: "a tool's error completes the task, a protocol error fails it",
    body: async ({ a, b }) => {
      const tool = await b.until(await a.start("failing_job"));
      assertEquals(tool.status, "completed");
      assertEquals(tool.result.isError, true);
      assertEquals(tool.result.content[0].text, "the job has failed");
      const protocol = await b.until(await a.start("protocol_error_job"));
      assertEquals(protocol.status, "failed");
      assertEquals(protocol.error, {
        code: -32050,
        message: "the protocol has failed",
        data: { why: "test" },
      });
      assertEquals(protocol.statusMessage, "the protocol has failed");
      assert(!("result" in protocol));
    },
  },
  {
    name: "whatever a handler returns, its task comes to an end",
    body: async ({ a }) => {
      const ends: Json = {};
      for (const kind of ["nothing", "input", "dom", "bigint", "huge"]) {
        const task = await a.until(await a.start("returns", { kind }));
        const words = task.result?.content[0].text ?? task.error.message;
        ends[kind] = [task.status, words.replace(/[0-9a-f-]{36}/, "…")];
      }
      assertEquals(ends.nothing, [
        "completed",
        "tool returns has returned no result",
      ]);
      assertEquals(ends.input[0], "completed");
      assert(ends.input[1].includes("requestInput()"));
      assertEquals(ends.dom, ["completed", "a code of another kind"]);
      assertEquals(ends.bigint[0], "failed");
      assert(/bigint/i.test(ends.bigint[1]));
      assertEquals(ends.huge[0], "failed");
      assert(ends.huge[1].includes("over the limit"));
    },
  },
  {
    name: "a result is checked against the tool's output schema",
    body: async ({ a }) => {
      const good = await a.until(await a.start("with_schema", { total: 7 }));
      assertEquals(good.result.structuredContent, { total: 7 });
      assertEquals(good.result.isError, undefined);
      const bad = await a.until(await a.start("with_schema", { total: "x" }));
      assertEquals(bad.result.isError, true);
    },
  },
  {
    name: "arguments are checked before there is a task",
    body: async ({ a, stores }) => {
      const wrong = await a.call("confirm_delete", { filename: 7 });
      assertEquals(wrong.isError, true);
      assertEquals((await stores.a.list("conformance")).tasks, []);
    },
  },
  {
    name: "who does not know tasks gets results, or error -32021",
    body: async (two) => {
      const old = two.client("a", NO_TASKS);
      const result = await old.call("slow_compute", {
        seconds: 0.01,
        label: "x",
      });
      assertEquals(result.content[0].text, "computed x");
      const calls: [string, Json][] = [
        ["tools/call", { name: "failing_job", arguments: {} }],
        ["tools/call", { name: "optional_input", arguments: {} }],
        ["tasks/get", { taskId: "t" }],
        ["tasks/cancel", { taskId: "t" }],
        ["tasks/update", { taskId: "t", inputResponses: {} }],
      ];
      for (const [method, params] of calls) {
        const { code, data } = await old.error(method, params);
        assertEquals([code, data], [-32021, MISSING], method);
      }
      assertEquals((await two.stores.a.list("conformance")).tasks, []);
    },
  },
  {
    name: "a task is its owner's alone: to others it is as if it were not",
    body: async (two) => {
      const alice = two.client("a", { owner: "alice" });
      const bob = two.client("b", { owner: "bob" });
      const id = await alice.start("slow_compute", { seconds: 60, label: "x" });
      const methods = ["tasks/get", "tasks/cancel", "tasks/update"];
      for (const method of methods) {
        const foreign = await bob.error(method, {
          taskId: id,
          inputResponses: {},
        });
        const missing = await bob.error(method, {
          taskId: crypto.randomUUID(),
          inputResponses: {},
        });
        assertEquals(foreign.code, -32602, method);
        assertEquals(
          foreign.message.replace(id, ""),
          missing.message.replace(/[0-9a-f-]{36}/, ""),
        );
      }
      assertEquals((await alice.get(id)).status, "working");
    },
  },
  {
    name: "an unknown id and params without one are error -32602",
    body: async ({ a }) => {
      for (const taskId of ["none", "", "a:b", "../x", 7, null, undefined]) {
        const { code } = await a.error("tasks/get", { taskId });
        assertEquals(code, -32602, String(taskId));
      }
      const id = await a.start("slow_compute", { seconds: 60, label: "x" });
      assertEquals(
        (await a.error("tasks/update", { taskId: id })).code,
        -32602,
      );
    },
  },
  {
    name: "an expired task is error -32602",
    options: { limits: { defaultTtlMs: 300 } },
    body: async ({ a, b }) => {
      const id = await a.start("slow_compute", { seconds: 60, label: "x" });
      await waitUntil("the task has expired", async () => {
        const { error } = await b.rpc("tasks/get", { taskId: id });
        return error?.code === -32602;
      });
    },
  },
  {
    name: "an expired task's handler hears of it",
    options: { limits: { defaultTtlMs: 300 } },
    body: async (two) => {
      const id = await two.a.start("ignores_signal");
      const signal = await two.signalOf(id);
      await waitUntil("the signal aborts", () => signal.aborted);
    },
  },
  {
    name: "a cancellation reaches the handler on another instance",
    body: async (two) => {
      const id = await two.a.start("slow_compute", { seconds: 60, label: "x" });
      const signal = await two.signalOf(id);
      assertEquals(Object.keys(await two.b.cancel(id)).sort(), [
        "_meta",
        "resultType",
      ]);
      await waitUntil("the signal aborts", () => signal.aborted);
      assertEquals(signal.reason.name, "TaskCancelledError");
      assertEquals((await two.a.get(id)).status, "cancelled");
      // Again, and of a task that has ended otherwise: acknowledged.
      assertEquals((await two.b.cancel(id)).resultType, "complete");
      const done = await two.a.start("slow_compute", {
        seconds: 0.01,
        label: "x",
      });
      await two.a.until(done);
      await two.b.cancel(done);
      assertEquals((await two.a.get(done)).status, "completed");
    },
  },
  {
    name: "an owner at its quota gets an error and no task",
    options: { limits: { maxTasksPerOwner: 1 } },
    body: async ({ a, b }) => {
      await a.start("slow_compute", { seconds: 60, label: "x" });
      const error = await b.error("tools/call", {
        name: "failing_job",
        arguments: {},
      });
      assertEquals(error.code, -32603);
      assert(error.message.includes("live tasks"));
    },
  },
  {
    name:
      "drain() lets tasks finish, fails the others by name and takes no more",
    body: async (two) => {
      const { a, b, servers } = two;
      const soon = await a.start("slow_compute", { seconds: 0.2, label: "x" });
      const never = await a.start("ignores_signal");
      const signal = await two.signalOf(never);
      const draining = servers.a.extension.drain({ timeoutMs: 2000 });
      const refused = await a.error("tools/call", {
        name: "failing_job",
        arguments: {},
      });
      assertEquals(refused.code, -32603);
      assertEquals(await draining, { finished: [soon], failed: [never] });
      assertEquals((await b.get(soon)).status, "completed");
      const { status, error } = await b.get(never);
      assertEquals([status, error.code], ["failed", -32603]);
      assert(error.message.includes('"ignores_signal"'));
      assert(error.message.includes(never));
      assert(signal.aborted);
    },
  },
  {
    name: "a lease is renewed for as long as the handler runs",
    body: async ({ a, b }) => {
      const id = await a.start("slow_compute", { seconds: 2.5, label: "x" });
      assertEquals((await b.until(id)).status, "completed");
    },
  },
];
