/**
 * The suite of the Tasks extension in memory, and what needs no second
 * instance.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { MemoryBackend, TasksExtension, TaskStore } from "../../../mod.ts";
import { RpcClient } from "./client.ts";
import { makeServer } from "./fixture.ts";
import { extensionTests } from "./suite/suite.ts";
import { Two } from "./suite/two.ts";

for (const { name, options = {}, body } of extensionTests) {
  Deno.test(`memory_extension: ${name}`, async () => {
    await using backend = new MemoryBackend();
    const two = new Two([backend, backend], options);
    try {
      await body(two);
    } finally {
      await two.end();
    }
  });
}

const owner = () => "alice";

Deno.test("TasksExtension refuses options out of range", async () => {
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend);
  const wrong: [object, string][] = [
    [{}, "owner"],
    [{ owner, leaseMs: 99 }, "leaseMs"],
    [{ owner, leaseMs: 2 ** 31 }, "leaseMs"],
    [{ owner, holder: "" }, "holder"],
    [{ owner, maxSubscriptions: -1 }, "maxSubscriptions"],
    [{ owner, maxSubscriptionsPerOwner: -1 }, "maxSubscriptionsPerOwner"],
    [{ owner, maxBehindMs: 0 }, "maxBehindMs"],
    [{ owner, keepAliveMs: 0 }, "keepAliveMs"],
  ];
  for (const [options, field] of wrong) {
    assertThrows(
      () => new TasksExtension(store, options as { owner: () => string }),
      Error,
      field,
    );
  }
  const tasks = new TasksExtension(store, { owner });
  await assertRejects(
    () => tasks.drain({ timeoutMs: -1 }),
    RangeError,
    "timeoutMs",
  );
  assertEquals(await tasks.drain(), { finished: [], failed: [] });
});

Deno.test("attach() comes once, and before the first tool", async () => {
  await using backend = new MemoryBackend();
  const tasks = new TasksExtension(new TaskStore(backend), { owner });
  const config = { task: "required" } as const;
  const tool = () => ({ content: [] });
  const make = () => new McpServer({ name: "s", version: "1" });

  const late = make();
  assertThrows(
    () => tasks.registerTool(late, "t", config, tool),
    Error,
    "call attach() first",
  );
  late.registerTool("t", {}, tool);
  assertThrows(() => tasks.attach(late), Error, "too late");

  const mcp = make();
  tasks.attach(mcp);
  assertThrows(() => tasks.attach(mcp), Error, "already");
  const registered = tasks.registerTool(mcp, "t", config, tool);
  assert(registered.enabled);
  assertThrows(
    () =>
      tasks.registerTool(mcp, "u", { task: "forbidden" as "optional" }, tool),
    RangeError,
    '"forbidden"',
  );
});

Deno.test("a client of 2025-11-25 on the same handler is one that knows no tasks", async () => {
  await using backend = new MemoryBackend();
  const { fetch } = makeServer(new TaskStore(backend));
  const call = async (name: string, args = {}) => {
    const response = await fetch(
      new Request("http://localhost/mcp", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "accept": "application/json, text/event-stream",
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name, arguments: args, task: {} },
        }),
      }),
    );
    const body = await response.text();
    return JSON.parse(/^data: (.*)$/m.exec(body)?.[1] ?? body);
  };
  const { result } = await call("slow_compute", { seconds: 0.01, label: "x" });
  assertEquals(result.content[0].text, "computed x");
  const { error } = await call("failing_job");
  assertEquals(error.code, -32021);
});

Deno.test("a tool that was renamed is still one that needs tasks", async () => {
  await using backend = new MemoryBackend();
  const tasks = new TasksExtension(new TaskStore(backend), { owner });
  const handler = createMcpHandler(() => {
    const mcp = new McpServer({ name: "s", version: "1" });
    tasks.attach(mcp);
    const tool = () => ({ content: [] });
    tasks.registerTool(mcp, "old", { task: "required" }, tool)
      .update({ name: "new" });
    return mcp;
  }, { keepAliveMs: 0 });
  const client = new RpcClient(tasks.fetch(handler), { capabilities: {} });
  const params = { name: "new", arguments: {} };
  assertEquals((await client.error("tools/call", params)).code, -32021);
  await tasks.drain();
});
