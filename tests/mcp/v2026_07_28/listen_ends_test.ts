/**
 * What goes on for a request to listen, and for its stream, ends when no one
 * waits for it any more.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { makeKey } from "../../../mod.ts";
import type {
  McpFetch,
  McpHandlerLike,
} from "../../../src/mcp/v2026_07_28/sdk.ts";
import { RpcClient } from "./client.ts";
import { isOpen, newTask, OWNER, withServer } from "./listen_fixture.ts";
import { deadline, waitUntil } from "../../support/wait.ts";

/** As many ids of no task. */
function unknownIds(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `t-${n}`);
}

/** Lets everything run that waits for nothing. */
async function settled(): Promise<void> {
  for (let n = 0; n < 5; n++) await new Promise((r) => setTimeout(r, 0));
}

Deno.test("no more tasks are looked up for a client that has left", async () => {
  await withServer({}, async ({ backend, client }) => {
    const gate = Promise.withResolvers<void>();
    backend.gate = gate.promise;
    const leave = new AbortController();
    const answer = client.listen({ taskIds: unknownIds(1000) }, leave);
    await waitUntil("some are looked up", () => backend.waited > 0);
    await settled();
    const underWay = backend.waited;
    leave.abort();
    await answer;
    gate.resolve();
    await settled();
    assertEquals(backend.waited, underWay);
  });
});

Deno.test("no more tasks are looked up once a lookup has failed", async () => {
  await withServer({}, async ({ backend, client }) => {
    const gate = Promise.withResolvers<void>();
    backend.gate = gate.promise;
    const taskIds = unknownIds(1000);
    backend.failing = makeKey(OWNER, taskIds[0]!);
    const answer = client.listen({ taskIds });
    await waitUntil("some are looked up", () => backend.waited > 0);
    gate.resolve();
    await (await answer).response.text();
    await settled();
    assert(backend.waited < 100, `${backend.waited} were looked up`);
  });
});

Deno.test("no more tasks are looked up once the server drains", async () => {
  await withServer({}, async ({ backend, server, client }) => {
    const gate = Promise.withResolvers<void>();
    backend.gate = gate.promise;
    const answer = client.listen({ taskIds: unknownIds(1000) });
    await waitUntil("some are looked up", () => backend.waited > 0);
    await settled();
    const underWay = backend.waited;
    await server.extension.drain({ timeoutMs: 0 });
    gate.resolve();
    assertEquals((await answer).response.status, 503);
    await settled();
    assertEquals(backend.waited, underWay);
  });
});

Deno.test("a drain answers a listen whose owner is never known", async () => {
  const asked = Promise.withResolvers<void>();
  const owner = () => {
    asked.resolve();
    return new Promise<string>(() => {});
  };
  await withServer({ owner }, async ({ server, client }) => {
    const answer = client.listen({ taskIds: ["t-1"] });
    await asked.promise;
    await server.extension.drain({ timeoutMs: 0 });
    const { response } = await deadline("an answer", answer);
    assertEquals(response.status, 503);
    await response.text();
  });
});

Deno.test("a client that leaves while the SDK's handler works frees its place", async () => {
  await withServer({ maxSubscriptions: 1 }, async ({ server, store }) => {
    const taskIds = [await newTask(store)];
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    let isSlow = true;
    let cancelled = false;
    const late = new ReadableStream({ cancel: () => void (cancelled = true) });
    const sdk: McpHandlerLike = server.handler;
    const fetch: McpFetch = async (request, options) => {
      if (!isSlow) return await sdk.fetch(request, options);
      isSlow = false;
      asked.resolve();
      await gate.promise;
      return new Response(late, {
        headers: { "content-type": "text/event-stream" },
      });
    };
    const answer = server.extension.fetch({ ...server.handler, fetch });
    const client = new RpcClient((request) => answer(request));
    const leave = new AbortController();
    const left = client.listen({ taskIds }, leave);
    await asked.promise;
    leave.abort();
    assertEquals((await deadline("it is let go", left)).response.status, 499);
    const next = await client.listen({ taskIds });
    assert(isOpen(next));
    await next.leave();
    // What the handler answers after all is not left open.
    gate.resolve();
    await waitUntil("its stream is cancelled", () => cancelled);
  });
});

Deno.test("a client that leaves at any turn of its authorization frees its place", async () => {
  const stuck: number[] = [];
  for (let turns = 0; turns < 40; turns++) {
    await withServer({ maxSubscriptions: 1 }, async ({ backend, ...rest }) => {
      const { store, client } = rest;
      const taskIds = [await newTask(store)];
      const gate = Promise.withResolvers<void>();
      backend.gate = gate.promise;
      const leave = new AbortController();
      const answer = client.listen({ taskIds }, leave);
      await waitUntil("it is looked up", () => backend.waited === 1);
      gate.resolve();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      leave.abort();
      await answer;
      await settled();
      const next = await client.listen({ taskIds });
      if (!isOpen(next)) stuck.push(turns);
      await next.leave();
    });
  }
  assertEquals(stuck, []);
});
