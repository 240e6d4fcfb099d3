/**
 * Servers as processes: the independent client end to end, a restart of
 * everything, and what crosses from one process to the other.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { SerializedTaskReference } from "@modelcontextprotocol/ext-tasks/client";
import { RpcClient } from "./client.ts";
import {
  accept,
  failureOf,
  openSession,
  processTest,
  textOf,
  unexpected,
} from "./process_fixture.ts";
import { type Instance, RoundRobin } from "./processes.ts";
import { deadline, waitUntil } from "../../support/wait.ts";

processTest("the ext-tasks client, end to end", async ({ robin }) => {
  await using session = openSession(robin, { onInputRequest: accept });
  const run = async (name: string, params = {}) => {
    const execution = await session.callTool(name, params);
    return [execution.kind, await deadline(name, execution.result())] as const;
  };
  const [immediate, greeting] = await run("greet", { name: "Ada" });
  assertEquals([immediate, textOf(greeting)], ["immediate", "Hello, Ada!"]);
  const [task, computed] = await run("slow_compute", {
    seconds: 0.1,
    label: "x",
  });
  assertEquals([task, textOf(computed)], ["task", "computed x"]);
  const [, deleted] = await run("confirm_delete", { filename: "f" });
  assertEquals(textOf(deleted), "deleted f");
  const [, toolError] = await run("failing_job");
  assertEquals(textOf(toolError), "the job has failed");
  const [, failed] = await run("protocol_error_job");
  assertEquals(failureOf(failed), "the protocol has failed");
  const execution = await session.callTool("slow_compute", {
    seconds: 60,
    label: "x",
  });
  await execution.cancel();
  assertEquals((await execution.result()).status, "cancelled");
});

processTest(
  "a reference outlives every process there was",
  async ({ robin, first, second, start }) => {
    const references: string[] = [];
    {
      await using session = openSession(robin);
      for (const seconds of [0.1, 60]) {
        const execution = await session.callTool("slow_compute", {
          seconds,
          label: "x",
        });
        if (execution.kind !== "task") throw unexpected(execution.kind);
        references.push(JSON.stringify(execution.serializeReference()));
        if (seconds < 1) await execution.result();
        await execution.detach();
      }
    }
    await Promise.all([first.kill(), second.kill()]);
    const later = new RoundRobin([
      (await start("third")).url,
      (await start("fourth")).url,
    ]);
    await using session = openSession(later);
    const outcomes = [];
    for (const reference of references) {
      const resumed = await session.resumeTask(
        JSON.parse(reference) as SerializedTaskReference,
      );
      outcomes.push(await deadline("the outcome", resumed.result()));
    }
    assertEquals(textOf(outcomes[0]!), "computed x");
    assert(failureOf(outcomes[1]!).startsWith("worker lost: "));
  },
);

processTest(
  "a cancellation and a notification cross processes; a client gone leaves nothing",
  async ({ redis, first, second }) => {
    const to = ({ url }: Instance) => new RpcClient(new RoundRobin([url]).send);
    const id = await to(first).start("slow_compute", {
      seconds: 60,
      label: "x",
    });
    const channel = `${redis.prefix}:events:{conformance}:${id}`;
    const listeners = async () => {
      const count = await redis.raw.pubSubShardNumSub([channel]);
      return Number(Object.values(count)[0]);
    };
    const staying = await to(second).listen({ taskIds: [id] });
    const leaving = await to(second).listen({ taskIds: [id] });
    await staying.task(id, "working");
    await leaving.task(id, "working");
    await waitUntil(
      "both instances listen",
      async () => await listeners() === 2,
    );
    await leaving.leave();
    await to(second).cancel(id);
    await staying.task(id, "cancelled");
    await first.said(`stops ${id}`);
    await staying.leave();
    await waitUntil("nobody listens", async () => await listeners() === 0);
    // A client that leaves before anything has happened.
    const next = await to(first).start("confirm_delete", { filename: "f" });
    const gone = await to(second).listen({ taskIds: [next] });
    await gone.task(next, "input_required");
    const others = async () => {
      const count = await redis.raw.pubSubShardNumSub([
        channel.replace(id, next),
      ]);
      return Number(Object.values(count)[0]);
    };
    await waitUntil("both instances listen", async () => await others() === 2);
    await gone.leave();
    await waitUntil("one still listens", async () => await others() === 1);
    await to(first).cancel(next);
    await waitUntil("nobody listens", async () => await others() === 0);
  },
);
