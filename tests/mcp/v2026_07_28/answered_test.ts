/**
 * EVIDENCE E6: the answer that hands a task out does not wait for its handler.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MemoryBackend, TaskStore } from "../../../mod.ts";
import { RpcClient } from "./client.ts";
import { makeServer } from "./fixture.ts";
import { startInstance } from "./processes.ts";
import { processesEnabled } from "../../support/gate.ts";
import { waitUntil } from "../../support/wait.ts";

Deno.test("a handler starts after its task was handed out (E6)", async () => {
  await using backend = new MemoryBackend();
  const order: string[] = [];
  const { fetch, extension } = makeServer(new TaskStore(backend), {}, {
    asks: () => {
      order.push("runs");
      return Promise.resolve("done");
    },
  });
  const client = new RpcClient(async (request) => {
    const response = await fetch(request);
    order.push("answered");
    return response;
  });
  await client.start("asks");
  await waitUntil("it runs", () => order.length === 2);
  assertEquals(order, ["answered", "runs"]);
  await extension.drain();
});

Deno.test("a task that is cancelled before its handler starts is not run (E6)", async () => {
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend);
  let runs = 0;
  const { fetch, extension } = makeServer(store, {}, {
    asks: () => Promise.resolve(`run ${++runs}`),
  });
  const client = new RpcClient(async (request) => {
    const response = await fetch(request);
    const { result } = await response.clone().json();
    if (result.resultType === "task") {
      await store.cancel(result.taskId, "conformance");
    }
    return response;
  });
  const id = await client.start("asks");
  assertEquals((await client.until(id)).status, "cancelled");
  await extension.drain();
  assertEquals(runs, 0);
});

Deno.test({
  name: "700 ms of computing delay the answer by less than half of that (E6)",
  ignore: !processesEnabled,
  async fn() {
    await using instance = await startInstance({ holder: "a", leaseMs: 5000 });
    const client = new RpcClient((request) => fetch(instance.url, request));
    // The first request pays for what is loaded with it.
    await client.until(await client.start("busy", { ms: 0 }));
    const took: number[] = [];
    for (let i = 0; i < 3; i++) {
      const start = performance.now();
      const id = await client.start("busy", { ms: 700 });
      took.push(performance.now() - start);
      await client.until(id);
    }
    // The machine may be busy, too: the best of three.
    assert(Math.min(...took) < 350, `it took ${took.map(Math.round)} ms`);
  },
});
