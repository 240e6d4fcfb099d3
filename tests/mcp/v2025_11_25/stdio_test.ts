/**
 * EVIDENCE A8: README's stdio server as a process ends with its input, and a
 * server on stdio has its tasks again when it is started again.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { startRedisServer } from "../../../scripts/lib/redis_server.ts";
import type { ProgramProcess } from "../../support/process.ts";
import { waitUntil } from "../../support/wait.ts";
import { processesEnabled, Program, readmeServer } from "./fixture.ts";

/** Calls a method of a server that reads and writes JSON by lines. */
async function call(
  server: ProgramProcess,
  method: string,
  params: unknown = {},
  // deno-lint-ignore no-explicit-any
): Promise<any> {
  const id = crypto.randomUUID();
  await server.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  const { result, error } = JSON.parse(await server.says(new RegExp(id)));
  assert(error === undefined, JSON.stringify(error));
  return result;
}

async function begin(server: ProgramProcess): Promise<void> {
  await call(server, "initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1.0.0" },
  });
  const method = "notifications/initialized";
  await server.write(JSON.stringify({ jsonrpc: "2.0", method }));
}

async function count(server: ProgramProcess, to: number): Promise<string> {
  const { task } = await call(server, "tools/call", {
    name: "count",
    arguments: { to },
    task: { ttl: 60_000 },
  });
  return task.taskId;
}

Deno.test({
  name: "redis_sdk_process_on_stdio_ends_with_its_input (A8)",
  ignore: !processesEnabled,
  async fn() {
    await using redis = await startRedisServer();
    await using program = await Program.write(
      await readmeServer("2025-11-25", "StdioServerTransport"),
    );
    assertEquals(await program.check(), "");
    let done: string;
    {
      await using server = program.startOnStdio(redis.url);
      await begin(server);
      done = await count(server, 1);
      const { content } = await call(server, "tasks/result", { taskId: done });
      assertEquals(content, [{ type: "text", text: "counted to 1" }]);
      assertEquals(await server.endInput(), 0);
      assertEquals(await server.kill(), "", "complaints");
    }
    await using again = program.startOnStdio(redis.url);
    await begin(again);
    const { tasks } = await call(again, "tasks/list");
    assertEquals(tasks.map((task: { taskId: string }) => task.taskId), [done]);
    // A job under way keeps it from ending no longer.
    const taskId = await count(again, 1_000_000);
    await waitUntil(
      "the job at work",
      async () => (await call(again, "tasks/get", { taskId })).statusMessage,
    );
    assertEquals(await again.endInput(), 0);
  },
});

Deno.test({
  name: "redis_sdk_process_in_memory_ends_by_itself",
  ignore: !processesEnabled,
  async fn() {
    await using program = await Program.write(`
      import process from "node:process";
      import { createTaskStore, SdkTaskStore } from "@mcp-tasks/redis";

      const tasks = await createTaskStore();
      const store = new SdkTaskStore(tasks, { defaultOwner: "me" });
      const { taskId } = await store.createTask({}, 1, { method: "x" });
      // A worker and a client wait: neither keeps the process alive.
      tasks.signalFor(taskId, "me");
      tasks.waitFor(taskId, "me", { final: true });
      process.stdin.on("data", () => {});
      console.log("ready");
    `);
    await using server = program.startOnStdio("");
    await server.says(/ready/);
    assertEquals(await server.endInput(), 0);
  },
});
