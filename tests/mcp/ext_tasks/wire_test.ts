/**
 * `ExtTaskStore` behind a server, on two instances: bare JSON-RPC, and the
 * independent client of `@modelcontextprotocol/ext-tasks`.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
// The optional peer of ext-tasks: deno links it only where it is imported.
import "@modelcontextprotocol/client";
import { withTasks } from "@modelcontextprotocol/ext-tasks/client";
import { ExtTaskStore, MemoryBackend, TaskStore } from "../../../mod.ts";
import { deadline } from "../../support/wait.ts";
import { makePort, RpcClient } from "../v2026_07_28/client.ts";
import { type Answer, makeServer, type Work } from "./server.ts";
import { elicit } from "./suite/env.ts";

/** Two instances of a server whose tool asks, says so, and answers. */
async function withServers(
  body: (a: Answer, b: Answer) => Promise<void>,
): Promise<void> {
  await using backend = new MemoryBackend();
  const stores = [1, 2].map(() => new ExtTaskStore(new TaskStore(backend)));
  const work: Work = async (handle) => {
    await handle.status("asking");
    const { sure } = await handle.requireInput({ sure: elicit("Sure?") });
    await handle.complete({
      content: [{ type: "text", text: String(sure.action) }],
    });
  };
  const [a, b] = stores.map((store) => makeServer(store, work));
  try {
    await body(a!, b!);
  } finally {
    for (const store of stores) store.close();
  }
}

Deno.test("ext_tasks: made on A, answered and read on B, over the wire", () =>
  withServers(async (a, b) => {
    const onA = new RpcClient(a, { owner: "alice@app" });
    const onB = new RpcClient(b, { owner: "alice@another" });
    const taskId = await onA.start("work");
    const asked = await onB.until(taskId, "input_required");
    assertEquals(asked.statusMessage, "asking");
    assertEquals(asked.inputRequests, { sure: elicit("Sure?") });
    await onB.update(taskId, { sure: { action: "accept" } });
    const done = await onB.until(taskId, "completed");
    assertEquals(done.result, {
      content: [{ type: "text", text: "accept" }],
      resultType: "complete",
    });
    await onB.cancel(taskId); // acknowledged
  }));

Deno.test("ext_tasks: another user of the same client is told -32602", () =>
  withServers(async (a, b) => {
    const taskId = await new RpcClient(a, { owner: "alice@app" }).start("work");
    const bob = new RpcClient(b, { owner: "bob@app" });
    for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
      const params = { taskId, inputResponses: { sure: { action: "accept" } } };
      assertEquals((await bob.error(method, params)).code, -32602, method);
    }
    const alice = new RpcClient(b, { owner: "alice@app" });
    assertEquals((await alice.until(taskId, "input_required")).taskId, taskId);
  }));

Deno.test("ext_tasks: the client of ext-tasks answers and takes the result", () =>
  withServers(async (a, b) => {
    let n = 0;
    const robin = (request: Request) => (n++ % 2 ? b : a)(request);
    await using session = withTasks(makePort(robin, { owner: "alice@app" }), {
      onInputRequest: () => Promise.resolve({ action: "accept" } as never),
    });
    const execution = await session.callTool("work");
    const outcome = await deadline("the outcome", execution.result());
    if (outcome.status !== "completed") throw new Error(outcome.status);
    const { content } = outcome.result as { content: { text: string }[] };
    assertEquals(content[0]?.text, "accept");
  }));
