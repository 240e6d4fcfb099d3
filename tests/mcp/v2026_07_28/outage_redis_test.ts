/**
 * The Tasks extension while Redis is out of reach of one instance: short
 * losses are waited out, and a lease that cannot be kept is given up in time.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { TaskStore } from "../../../mod.ts";
import { RpcClient } from "./client.ts";
import { makeServer } from "./fixture.ts";
import { type RedisFixture, redisTest } from "../../support/redis_fixture.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { waitUntil } from "../../support/wait.ts";

const ACCEPT = { confirm: { action: "accept", content: { confirm: true } } };

/** An instance behind a proxy, its tools waiting for `run`; another beside it. */
async function setUp(
  redis: RedisFixture,
  proxy: TcpProxy,
  leaseMs: number,
  run?: Promise<void>,
) {
  const runs: { taskId: string; signal: AbortSignal }[] = [];
  const errors: unknown[] = [];
  const cutOff = makeServer(
    new TaskStore(
      await redis.connect({ retry: { timeoutMs: 200 } }, proxy.url),
    ),
    { leaseMs, holder: "cut off", onError: (error) => void errors.push(error) },
    {
      onRun: async (taskId, signal) => {
        runs.push({ taskId, signal });
        await run;
      },
    },
  );
  const other = makeServer(new TaskStore(await redis.connect()), { leaseMs });
  return {
    cutOff,
    near: new RpcClient(cutOff.fetch),
    far: new RpcClient(other.fetch),
    runs,
    errors,
  };
}

redisTest(
  "extension: a connection lost for a while costs a waiting handler and a listener nothing",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const { near, far, cutOff } = await setUp(redis, proxy, 20_000);
    const id = await near.start("confirm_delete", { filename: "f" });
    const listening = await near.listen({ taskIds: [id] });
    await listening.task(id, "input_required");

    proxy.mode = "down";
    proxy.cutAll();
    assertEquals((await near.error("tasks/get", { taskId: id })).code, -32603);
    await far.update(id, ACCEPT);
    proxy.mode = "up";

    const { result } = await listening.task(id, "completed");
    assertEquals(result.content[0].text, "deleted f");
    await listening.leave();
    await cutOff.extension.drain();
  },
);

redisTest(
  "extension: an event that comes while reading fails is not lost",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const { near, far, cutOff, errors } = await setUp(redis, proxy, 20_000);
    const id = await near.start("confirm_delete", { filename: "f" });
    const listening = await near.listen({ taskIds: [id] });
    await listening.task(id, "input_required");

    proxy.fault = (request) =>
      request.includes("EVAL") ? { cut: "before request" } : undefined;
    await far.update(id, ACCEPT);
    await waitUntil(
      "the handler's watch and the listener's have failed",
      () => errors.length >= 2,
    );
    proxy.fault = () => undefined;

    await listening.task(id, "completed");
    await listening.leave();
    await cutOff.extension.drain();
  },
);

redisTest(
  "extension: a result finished while Redis is away is stored when it is back",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const { promise: outage, resolve: finish } = Promise.withResolvers<void>();
    const { near, far, cutOff, errors } = await setUp(
      redis,
      proxy,
      20_000,
      outage,
    );
    const id = await near.start("slow_compute", { seconds: 0.1, label: "x" });
    proxy.mode = "down";
    proxy.cutAll();
    finish();
    await waitUntil("the loss was felt", () => errors.length >= 2);
    assertEquals((await far.get(id)).status, "working");
    proxy.mode = "up";
    const { result } = await far.until(id, "completed");
    assertEquals(result.content[0].text, "computed x");
    await cutOff.extension.drain();
  },
);

redisTest(
  "extension: a lease that cannot be renewed aborts the handler before others see it fail",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const { near, far, cutOff, runs, errors } = await setUp(redis, proxy, 1500);
    const id = await near.start("ignores_signal");
    const { signal } = (await waitUntil("the handler runs", () => runs[0]))!;
    let seenFailing: boolean | undefined;
    signal.addEventListener("abort", () => seenFailing = false);
    proxy.mode = "down";
    proxy.cutAll();
    await waitUntil("others read it as failed", async () => {
      const { status } = await far.get(id);
      if (status === "failed") seenFailing ??= true;
      return status === "failed";
    });
    assertEquals(seenFailing, false, "the handler was told too late");
    assert(signal.reason.message.includes("could not be renewed"));
    assert(errors.includes(signal.reason));
    const { error } = await far.get(id);
    assert(error.message.startsWith("worker lost: "));
    assert(!error.message.includes("cut off"), error.message);
    // What storage said is for the operator: a client learns no host.
    const told = await near.error("tasks/get", { taskId: id });
    assertEquals(told, { code: -32603, message: "the task storage failed" });
    const call = { name: "failing_job", arguments: {} };
    assertEquals(await near.error("tools/call", call), told);
    assertEquals(
      (await (await near.listen({ taskIds: [id] })).response.json()).error,
      told,
    );
    proxy.mode = "up";
    await cutOff.extension.drain({ timeoutMs: 0 });
  },
);
