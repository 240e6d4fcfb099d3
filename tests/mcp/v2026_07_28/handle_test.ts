/**
 * The handle of a task tool: promises that its handler lets go.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  InvalidTransitionError,
  MemoryBackend,
  type TaskHandle,
  TaskStore,
} from "../../../mod.ts";
import { unhandledDuring } from "../unhandled.ts";
import { deadline } from "../../support/wait.ts";
import { RpcClient } from "./client.ts";
import { elicit, type FixtureHooks, makeServer } from "./fixture.ts";

async function serve(
  hooks: FixtureHooks,
  body: (fetch: (request: Request) => Promise<Response>) => Promise<void>,
): Promise<void> {
  await using backend = new MemoryBackend();
  const { fetch, extension } = makeServer(new TaskStore(backend), {}, hooks);
  try {
    await body(fetch);
  } finally {
    await extension.drain({ timeoutMs: 0 });
  }
}

Deno.test("a promise of the handle that is let go ends no process when the client cancels", async () => {
  const cancelled = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const asks = async (task: TaskHandle) => {
    // Asked early, to be awaited once other work is done.
    task.requestInput({ early: elicit("?", "x", "string") });
    await cancelled.promise;
    task.setStatus("stopping");
    task.setVariables({ stopping: true });
    // Who awaits, and after those two are rejected, sees the rejection.
    await assertRejects(
      () => task.setVariables({ stopped: true }),
      InvalidTransitionError,
    );
    await assertRejects(() => task.setStatus("stopped"), Error);
    over.resolve();
    return "done";
  };
  await serve({ asks }, async (fetch) => {
    const client = new RpcClient(fetch);
    const reasons = await unhandledDuring(async () => {
      const taskId = await client.start("asks");
      await client.until(taskId, "input_required");
      await client.cancel(taskId);
      cancelled.resolve();
      await deadline("the handler is over", over.promise);
    });
    assertEquals(reasons, []);
  });
});

Deno.test("a question that is let go without a task ends no process", async () => {
  let rejected: Promise<unknown> | undefined;
  const throwing = async (task?: TaskHandle) => {
    task!.requestInput({ x: elicit("?", "x", "string") });
    rejected = assertRejects(
      () => task!.requestInput({ x: elicit("?", "x", "string") }),
      Error,
      "missing required client capability",
    );
    await rejected;
  };
  await serve({ throwing }, async (fetch) => {
    const client = new RpcClient(fetch, { capabilities: {} });
    const reasons = await unhandledDuring(async () => {
      await client.call("throws");
    });
    assert(rejected !== undefined);
    assertEquals(reasons, []);
  });
});
