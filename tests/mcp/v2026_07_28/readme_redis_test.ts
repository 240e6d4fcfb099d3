/**
 * README's server of this era, twice, on one Redis: the code a reader copies,
 * with the independent client of `@modelcontextprotocol/ext-tasks` before it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
// The optional peer of ext-tasks: deno links it only where it is imported.
import "@modelcontextprotocol/client";
import { withTasks } from "@modelcontextprotocol/ext-tasks/client";
import { startRedisServer } from "../../../scripts/lib/redis_server.ts";
import { makePort, RpcClient } from "./client.ts";
import { RoundRobin } from "./processes.ts";
import {
  processesEnabled,
  Program,
  readmeServer,
} from "../v2025_11_25/fixture.ts";
import { deadline } from "../../support/wait.ts";

Deno.test({
  name:
    "redis_extension_readme: its server is complete, in under 40 lines, and keeps the users of one client apart (E7)",
  ignore: !processesEnabled,
  async fn() {
    const code = await readmeServer("2026-07-28");
    const lines = code.split("\n").filter((line) => line.trim() !== "");
    assert(lines.length < 40, `${lines.length} lines`);
    assert(/owner: .*ownerOf\(/.test(code), "its owner is not the user");
    assert(/clientId: "[^"]+"/.test(code), "its users have several clients");

    await using redis = await startRedisServer();
    await using program = await Program.write(code);
    assertEquals(await program.check(), "");
    await using one = await program.start(redis.url);
    await using two = await program.start(redis.url);
    const robin = new RoundRobin([one.url.href, two.url.href]);

    for (const action of ["accept", "decline"] as const) {
      await using session = withTasks(makePort(robin.send, { owner: "a" }), {
        onInputRequest: () => Promise.resolve({ action } as never),
      });
      const execution = await session.callTool("clean");
      const outcome = await deadline("the outcome", execution.result());
      if (outcome.status !== "completed") throw new Error(outcome.status);
      const { content } = outcome.result as { content: { text: string }[] };
      const text = action === "accept" ? "deleted 3 files" : "deleted none";
      assertEquals(content[0]?.text, text);
      // Another's task is no task of his.
      const bob = new RpcClient(robin.send, { owner: "b" });
      const { taskId } = execution.handle!;
      assertEquals((await bob.error("tasks/get", { taskId })).code, -32602);
    }
    const stranger = new RpcClient(robin.send, { owner: "stranger" });
    const refused = await stranger.listen({ taskIds: [] });
    assertEquals(refused.response.status, 401);
  },
});
