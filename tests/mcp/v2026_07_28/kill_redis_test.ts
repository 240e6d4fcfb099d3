/**
 * SIGKILL of the instance that works on a task, in every phase: whatever dies
 * when, the client reaches a final answer, and the right one.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { TaskStore } from "../../../mod.ts";
import { RpcClient } from "./client.ts";
import {
  accept,
  failureOf,
  LEASE_MS,
  openSession,
  processTest,
  textOf,
} from "./process_fixture.ts";
import { RoundRobin } from "./processes.ts";
import { deadline } from "../../support/wait.ts";

processTest(
  "killed before the task is durable: the call fails, and a second one succeeds",
  async ({ redis, robin, first }) => {
    await using session = openSession(robin, {
      tools: { currentTool: () => undefined },
    });
    const call = session.callTool("slow_start");
    const rejected = assertRejects(() => call);
    await first.said("before task");
    await first.kill();
    await rejected;
    const again = await session.callTool("slow_start");
    assertEquals(textOf(await again.result()), "started");
    // The first call has left nothing behind.
    const store = new TaskStore(await redis.connect());
    assertEquals((await store.list("conformance")).tasks.length, 1);
  },
);

processTest(
  "killed at work: the task fails within the lease, by name",
  async ({ robin, first, second }) => {
    await using session = openSession(robin, {
      tools: { currentTool: () => undefined },
    });
    const execution = await session.callTool("slow_compute", {
      seconds: 60,
      label: "x",
    });
    const { taskId } = execution.handle!;
    await first.said(`runs ${taskId}`);
    const other = new RpcClient(new RoundRobin([second.url]).send);
    const listening = await other.listen({ taskIds: [taskId] });
    await listening.task(taskId, "working");
    await first.kill();
    const killedMs = Date.now();
    // A client that only listens is notified, too.
    const told = await listening.task(taskId, "failed");
    await listening.leave();
    assert(told.error.message.startsWith("worker lost: "));
    const message = failureOf(
      await deadline("the outcome", execution.result()),
    );
    assert(message.startsWith("worker lost: "), message);
    // The lease and one poll; the default lease is 30 seconds.
    assert(Date.now() - killedMs < LEASE_MS + 6000);
  },
);

processTest(
  "killed while its task waits for input: the answer is taken, the task fails",
  async ({ robin, first }) => {
    let asked = 0;
    await using session = openSession(robin, {
      tools: { currentTool: () => undefined },
      onInputRequest: async () => {
        asked++;
        await first.kill();
        return await accept();
      },
    });
    const execution = await session.callTool("confirm_delete", {
      filename: "f",
    });
    await first.said(`runs ${execution.handle!.taskId}`);
    const message = failureOf(
      await deadline("the outcome", execution.result()),
    );
    assert(message.startsWith("worker lost: "), message);
    assertEquals(asked, 1);
  },
);

processTest(
  "killed after the result is written: the result is what the client gets",
  async ({ robin, first, second }) => {
    await using session = openSession(robin, {
      tools: { currentTool: () => undefined },
    });
    const execution = await session.callTool("slow_compute", {
      seconds: 0.3,
      label: "x",
    });
    const taskId = execution.handle!.taskId;
    await first.said(`runs ${taskId}`);
    const other = new RpcClient(new RoundRobin([second.url]).send);
    const listening = await other.listen({ taskIds: [taskId] });
    await listening.task(taskId, "completed");
    await listening.leave();
    await first.kill();
    const outcome = await deadline("the outcome", execution.result());
    assertEquals(textOf(outcome), "computed x");
  },
);

processTest(
  "stopped with SIGTERM: its task is failed by name, at once",
  async ({ robin, first }) => {
    await using session = openSession(robin, {
      tools: { currentTool: () => undefined },
    });
    const execution = await session.callTool("slow_compute", {
      seconds: 60,
      label: "x",
    });
    await first.said(`runs ${execution.handle!.taskId}`);
    assertEquals(await first.stop(), "drained 0 1");
    const message = failureOf(
      await deadline("the outcome", execution.result()),
    );
    assert(message.includes('"slow_compute"'), message);
  },
);
