/**
 * README's server for both eras, twice, on one Redis: the SDK's client of
 * 2025-11-25 and one of 2026-07-28, on one endpoint each, as one person.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
// @ts-types="@modelcontextprotocol/sdk/types"
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import { startRedisServer } from "../../scripts/lib/redis_server.ts";
import { deadline, waitUntil } from "../support/wait.ts";
import {
  processesEnabled,
  Program,
  readmeServer,
  TestClient,
} from "./v2025_11_25/fixture.ts";
import { RpcClient } from "./v2026_07_28/client.ts";

/** Long enough never to end by itself in a test. */
const NEVER = 100_000;

Deno.test({
  name: "redis_both_eras: one endpoint, one person's tasks",
  ignore: !processesEnabled,
  async fn(t) {
    await using redis = await startRedisServer();
    await using program = await Program.write(await readmeServer("of both"));
    assertEquals(await program.check(), "");
    await using one = await program.start(redis.url);
    await using two = await program.start(redis.url);
    const clientOf = (url: URL, owner: string) =>
      new RpcClient((request) => fetch(new Request(url, request)), { owner });
    // Each on an instance of its own: what one does, the other's must know.
    await using old = await TestClient.connect(one.url, "a");
    const modern = clientOf(two.url, "a");

    await t.step("begun in one, read and ended in the other", async () => {
      const begun = await old.count(3);
      const { ttlMs, pollIntervalMs } = await modern.get(begun);
      assertEquals([ttlMs, pollIntervalMs], [60_000, 200]);
      const { result } = await modern.until(begun, "completed");
      const content = [{ type: "text" as const, text: "counted to 3" }];
      assertEquals(result, { content, resultType: "complete" });

      const other = await modern.start("count", { to: 3 });
      assertEquals((await old.get(other)).ttl, 3_600_000);
      assertEquals(await deadline("the result", old.result(other)), {
        content,
      });
      assertEquals(await old.list(), [begun, other]);
    });

    await t.step("a cancellation of either stops the work", async () => {
      const begun = await old.count(NEVER);
      await waitUntil(
        "it works",
        async () => (await modern.get(begun)).statusMessage,
      );
      await modern.cancel(begun);
      const { isError } = await deadline("the result", old.result(begun));
      assertEquals(isError, true);

      const other = await modern.start("count", { to: NEVER });
      assertEquals((await old.cancel(other)).status, "cancelled");
      assertEquals((await modern.get(other)).status, "cancelled");
    });

    await t.step("a question of one hangs no client of the other", async () => {
      const asks = await modern.start("confirm");
      await modern.until(asks, "input_required");
      assertEquals((await old.get(asks)).status, "input_required");
      const error = await assertRejects(
        () => deadline("tasks/result", old.result(asks)),
        McpError,
        "2026-07-28",
      );
      assertEquals(error.code, -32602);
      await modern.update(asks, { sure: { action: "accept" } });
      const { content } = await deadline("the result", old.result(asks));
      assertEquals(content, [{ type: "text", text: "accept" }]);
    });

    await t.step("another person sees nothing, in either era", async () => {
      const taskId = await modern.start("count", { to: 1 });
      for (const { url } of [one, two]) {
        await using bob = await TestClient.connect(url, "b");
        assertEquals(await bob.list(), []);
        await assertRejects(() => bob.get(taskId), McpError, "not found");
        const modernBob = clientOf(url, "b");
        const error = await modernBob.error("tasks/get", { taskId });
        assertEquals(error.code, -32602);
      }
      const stranger = await fetch(two.url, { method: "POST", body: "{}" });
      assertEquals((await stranger.text(), stranger.status), 401);
    });

    for (const server of [one, two]) {
      // Deno's remark on who listens to a request's signal, as the SDK does.
      const complaints = (await server.kill()).split("\n")
        .filter((line) => line && !line.startsWith("Deno.serve: request.sign"));
      assertEquals(complaints, []);
    }
  },
});
