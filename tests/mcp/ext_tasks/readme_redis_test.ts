/**
 * README's server on the SDK's coming extension, twice, on one Redis. What the
 * SDK does not have yet, the stand-in of `sdk.ts` has.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { startRedisServer } from "../../../scripts/lib/redis_server.ts";
import {
  processesEnabled,
  Program,
  readmeServer,
} from "../v2025_11_25/fixture.ts";
import { RpcClient } from "../v2026_07_28/client.ts";

Deno.test({
  name: "redis_ext_tasks_readme: its server is complete, for persons",
  ignore: !processesEnabled,
  async fn() {
    const code = await readmeServer("2026-07-28", "server/ext/tasks");
    const standIn = JSON.stringify(import.meta.resolve("./sdk.ts"));
    await using redis = await startRedisServer();
    await using program = await Program.write(
      code.replaceAll(
        /"@modelcontextprotocol\/server(\/ext\/tasks)?"/g,
        standIn,
      ),
    );
    assertEquals(await program.check(), "");
    await using one = await program.start(redis.url);
    await using two = await program.start(redis.url);
    const clientOf = (url: URL, owner: string) =>
      new RpcClient((request) => fetch(new Request(url, request)), { owner });
    const onA = clientOf(one.url, "a");
    const onB = clientOf(two.url, "a");
    for (const action of ["accept", "decline"]) {
      const taskId = await onA.start("clean");
      const asked = await onB.until(taskId, "input_required");
      assertEquals(asked.statusMessage, "looking for old files");
      // Bob uses the same application.
      const bob = clientOf(two.url, "b");
      assertEquals((await bob.error("tasks/get", { taskId })).code, -32602);
      await onB.update(taskId, { sure: { action } });
      const { result } = await onB.until(taskId, "completed");
      const text = action === "accept" ? "deleted 3 files" : "deleted none";
      assertEquals(result.content, [{ type: "text", text }]);
    }
    const stranger = await fetch(two.url, { method: "POST", body: "{}" });
    assertEquals((await stranger.text(), stranger.status), 401);
  },
});
