/**
 * README's server, twice, on one Redis; the SDK's real client talks to either
 * over HTTP.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
// @ts-types="@modelcontextprotocol/sdk/types"
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import {
  type RedisServer,
  startRedisServer,
} from "../../../scripts/lib/redis_server.ts";
import { RedisBackend, TaskStore } from "../../../mod.ts";
import { openRaw } from "../../support/redis_fixture.ts";
import {
  processesEnabled,
  Program,
  readmeServer,
  type ServerProcess,
  TestClient,
} from "./fixture.ts";
import { waitUntil } from "../../support/wait.ts";

/** Long enough never to end by itself in a test. */
const FOR_EVER = 100_000;

interface Servers {
  readonly redis: RedisServer;
  readonly program: Program;
  readonly a: ServerProcess;
  readonly b: ServerProcess;
}

/** Registers a test with two server processes and a Redis of its own. */
function serversTest(
  name: string,
  body: (servers: Servers, t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: `redis_sdk_${name}`,
    ignore: !processesEnabled,
    async fn(t) {
      await using redis = await startRedisServer();
      await using program = await Program.write(await readmeServer());
      await using a = await program.start(redis.url);
      await using b = await program.start(redis.url);
      await body({ redis, program, a, b }, t);
      assertEquals([await a.kill(), await b.kill()], ["", ""], "complaints");
      await nothingForEver(redis.url);
    },
  });
}

serversTest("two_servers_are_one", async ({ a, b }, t) => {
  await using onA = await TestClient.connect(a.url, "a");
  await using onB = await TestClient.connect(b.url, "a");

  await t.step("what A began, B knows, awaits and answers", async () => {
    const taskId = await onA.count(12);
    const task = await onB.get(taskId);
    assertEquals([task.taskId, task.status], [taskId, "working"]);
    assertEquals(task.ttl, 60_000);
    const waiting = onB.result(taskId);
    let answered = false;
    waiting.finally(() => answered = true).catch(() => {});
    assertEquals((await onB.get(taskId)).status, "working");
    assert(!answered, "tasks/result has answered before the task has ended");
    const content = [{ type: "text" as const, text: "counted to 12" }];
    assertEquals(await waiting, { content });
    assertEquals((await onA.get(taskId)).status, "completed");
    assertEquals(await onB.result(taskId), { content }, "asked again");
  });

  await t.step("what A began, B cancels, and A answers so", async () => {
    const taskId = await onA.count(FOR_EVER);
    await waitUntil(
      "the worker at work",
      async () => (await onB.get(taskId)).statusMessage?.startsWith("3/"),
    );
    const cancelled = await onB.cancel(taskId);
    const statusMessage = "Client cancelled task execution.";
    assertEquals(
      [cancelled.status, cancelled.statusMessage],
      ["cancelled", statusMessage],
    );
    assertEquals(await onA.result(taskId), {
      content: [{ type: "text", text: statusMessage }],
      isError: true,
    });
    const error = await assertRejects(() => onA.cancel(taskId), McpError);
    assertEquals(error.code, -32602);
    assertEquals(
      messageOf(error),
      "Cannot cancel task in terminal status: cancelled",
    );
  });

  await t.step("B lists all A began, oldest first, page by page", async () => {
    const before = await onB.list();
    const began: string[] = [];
    for (let n = 0; n < 21; n++) began.push(await onA.count(1));
    assertEquals(await onB.list(), [...before, ...began]);
  });

  await t.step("no identity sees another's tasks, anywhere", async () => {
    const taskId = await onA.count(FOR_EVER);
    for (const { url } of [a, b]) {
      await using bob = await TestClient.connect(url, "b");
      assertEquals(await bob.list(), []);
      for (
        const [attempt, says] of [
          [() => bob.get(taskId), "Failed to retrieve task: Task not found"],
          [() => bob.result(taskId), `Task not found: ${taskId}`],
          [() => bob.cancel(taskId), `Task not found: ${taskId}`],
        ] as const
      ) {
        const error = await assertRejects<McpError>(attempt, McpError);
        assertEquals(error.code, -32602);
        assertEquals(messageOf(error), says);
      }
    }
    assertEquals((await onB.get(taskId)).status, "working");
    await onB.cancel(taskId);
  });

  await t.step("who is nobody gets nothing", async () => {
    await assertRejects(() => TestClient.connect(a.url, "stranger"));
  });
});

serversTest("both_servers_restart", async ({ redis, program, a, b }) => {
  await using tasks = new TaskStore(await RedisBackend.connect(redis.url));
  const elsewhere = await tasks.create("alice", "tools/call");
  let done: string;
  let orphan: string;
  {
    await using onA = await TestClient.connect(a.url, "a");
    done = await onA.count(1);
    await onA.result(done);
    orphan = await onA.count(FOR_EVER);
    await waitUntil(
      "the worker at work",
      async () => (await onA.get(orphan)).statusMessage !== undefined,
    );
  }
  await Promise.all([a.kill(), b.kill()]);
  const [a2, b2] = await Promise.all([
    program.start(redis.url),
    program.start(redis.url),
  ]);
  await using _a2 = a2;
  await using _b2 = b2;
  await using onA = await TestClient.connect(a2.url, "a");
  await using onB = await TestClient.connect(b2.url, "a");

  assertEquals(await onB.list(), [elsewhere.task.taskId, done, orphan]);
  const content = [{ type: "text" as const, text: "counted to 1" }];
  assertEquals(await onB.result(done), { content });
  // Its worker died with A: the one who waits is told so at once.
  const error = await assertRejects(() => onB.result(orphan), McpError);
  assertEquals(error.code, -32603);
  assert(error.message.includes("worker lost"), error.message);
  assertEquals((await onA.get(orphan)).status, "failed");
  // A worker that is not on the servers finishes what began before.
  const waiting = onA.result(elsewhere.task.taskId);
  await tasks.completeWithResult(elsewhere, "alice", { content: [] });
  assertEquals(await waiting, { content: [] });
});

Deno.test({
  name: "redis_sdk_readme_server_type_checks",
  ignore: !processesEnabled,
  async fn() {
    await using program = await Program.write(await readmeServer());
    assertEquals(await program.check(), "");
  },
});

/** What the server said; both SDK ends put the code in front of it. */
function messageOf(error: McpError): string {
  return error.message.replaceAll(/MCP error -?\d+: /g, "");
}

async function nothingForEver(url: string): Promise<void> {
  const raw = await openRaw(url);
  try {
    for (const key of await raw.keys("*")) {
      assert(await raw.pTTL(key) !== -1, `${key} would stay for ever`);
    }
  } finally {
    raw.destroy();
  }
}
