/**
 * What the task domain costs, counted where it arrives: round trips on the
 * wire, commands at the server.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { TaskStore, TaskTimeoutError } from "../../mod.ts";
import { Monitor, type MonitoredCommand } from "../support/monitor.ts";
import { redisTest } from "../support/redis_fixture.ts";
import { ROOMY, started } from "./suite/env.ts";
import { MUTATIONS } from "./suite/transitions.ts";
import { TcpProxy } from "../support/proxy.ts";
import { pause, waitUntil } from "../support/wait.ts";

redisTest("task_round_trips", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  const backend = await redis.connect({}, proxy.url);
  await using monitor = await Monitor.open(redis.url, redis.raw);
  const store = new TaskStore(backend, { limits: ROOMY });
  const other = new TaskStore(await redis.connect(), { limits: ROOMY });
  const costs = async (
    roundTrips: number,
    what: string,
    call: () => Promise<unknown>,
    commandCount = roundTrips,
  ) => {
    const before = proxy.roundTrips;
    const commands = await monitor.during(call);
    const seen = sent(commands).map(({ words }) => words[0]);
    assertEquals(proxy.roundTrips - before, roundTrips, what);
    assertEquals(seen.length, commandCount, `${what}: ${seen}`);
  };
  // The server then knows the scripts.
  const warm = await store.create("alice", "tools/call");
  await store.cancel(warm.task.taskId, "alice");
  await store.list("alice");
  await store.delete(warm.task.taskId, "alice");

  await costs(
    1,
    "create with a quota",
    () => store.create("alice", "tools/call"),
  );
  await costs(
    1,
    "create with an id",
    () =>
      store.create("alice", "tools/call", { taskId: "t", request: { n: 1 } }),
  );
  await costs(
    2,
    "the same create again",
    () =>
      store.create("alice", "tools/call", { taskId: "t", request: { n: 1 } }),
  );
  await costs(1, "get", () => store.get("t", "alice"));
  await costs(
    1,
    "getResult",
    () => store.getResult("t", "alice").catch(() => {}),
  );
  for (const { name, to, run } of MUTATIONS) {
    if (to === "working") continue;
    for (const [by, roundTrips] of [["record", 1], ["id", 2]] as const) {
      let record = await other.create("alice", "tools/call");
      if (name === "renew") {
        record = await other.lease(record, "alice", {
          forMs: 60_000,
          holder: "worker-1",
        });
      }
      const ref = by === "id" ? record.task.taskId : record;
      await costs(
        // A lease reads first, and again beside, in the same round trip.
        name === "lease" ? 2 : roundTrips,
        `${name} by ${by}`,
        () => run(store, ref, "alice"),
        name === "lease" ? 3 : roundTrips,
      );
      // A change that a record is too old for: a read, then the write.
      if (by === "id" || name !== "setVariables") continue;
      await costs(
        3,
        `${name} by an old record`,
        () => run(store, record, "alice"),
      );
    }
  }
  for (const limit of [1, 50, 1000]) {
    // One command for the ids, one for each record, all of them together.
    const { tasks } = await other.list("alice", { limit });
    await costs(
      2,
      `list of ${limit}`,
      () => store.list("alice", { limit }),
      1 + tasks.length,
    );
  }
  const { nextCursor: cursor } = await store.list("alice", { limit: 5 });
  const { tasks: next } = await other.list("alice", { cursor });
  await costs(
    2,
    "the next page",
    () => store.list("alice", { cursor }),
    1 + next.length,
  );
  await costs(1, "delete", () => store.delete("t", "alice"));
  await costs(0, "cleanupExpired", () => store.cleanupExpired());

  // A lost worker costs who finds it one write more.
  const { task } = await other.create("alice", "tools/call", {
    lease: { forMs: 1, holder: "w" },
  });
  await pause(5);
  await costs(
    2,
    "the first look at a lost task",
    () => store.get(task.taskId, "alice"),
  );
  await costs(1, "the second", () => store.get(task.taskId, "alice"));

  // What is wrong costs nothing.
  await costs(0, "bad arguments", async () => {
    await assertRejects(() =>
      store.create("alice", "tools/call", { ttlMs: 0 })
    );
    await assertRejects(() => store.create("", "tools/call"));
    await assertRejects(() => store.touch(task.taskId, "alice", { ttlMs: -1 }));
    await assertRejects(() => store.get("", "alice"));
  });

  function sent(commands: MonitoredCommand[]): MonitoredCommand[] {
    return commands.filter(({ from, words }) =>
      from !== "lua" && words.some((word) => word.startsWith(redis.prefix))
    );
  }
});

redisTest("task_wait_of_ten_seconds_is_quiet", async (redis) => {
  const store = new TaskStore(await redis.connect());
  const { task } = await store.create("alice", "tools/call");
  const { taskId } = task;
  const channel = `${redis.prefix}:events:{alice}:${taskId}`;
  // The connection for events is opened by the first wait.
  await assertRejects(
    () => store.waitFor(taskId, "alice", { final: true, timeoutMs: 20 }),
    TaskTimeoutError,
  );
  await using monitor = await Monitor.open(redis.url, redis.raw);
  // All a client of the store sends, whatever it is; not our own looks.
  const clients = new Set<string>();
  const ours = (commands: MonitoredCommand[]) => {
    for (const { from, words } of commands) {
      const named = words.some((word) => word.startsWith(redis.prefix));
      if (named && from !== "lua" && words[0] !== "PUBSUB") clients.add(from);
    }
    // Connections are asked whether they live, whatever is done on them.
    return commands.filter(({ from }) => clients.has(from))
      .map(({ words }) => words[0]!.toLowerCase())
      .filter((name) => name !== "ping");
  };

  let waiting: Promise<unknown> = Promise.resolve();
  const start = await monitor.during(async () => {
    waiting = started(store.waitFor(taskId, "alice", {
      final: true,
      timeoutMs: 10_000,
    }));
    await subscribers(1);
    await pause(100);
  });
  assertEquals(ours(start), ["ssubscribe", "hmget"]);
  const after = await monitor.during(async () => {
    await assertRejects(() => waiting, TaskTimeoutError);
    await subscribers(0);
  });
  assert(ours(after).length <= 2, `${ours(after)}`);

  // As quiet for a worker's signal; and nothing is left of either.
  const quiet = await monitor.during(async () => {
    const signal = store.signalFor(taskId, "alice");
    await subscribers(1);
    await pause(1000);
    await store.cancel(taskId, "alice");
    await waitUntil("the signal", () => signal.aborted);
    await subscribers(0);
  });
  // The watch's read; the read and the write of the cancellation, which the
  // watch of this instance knows of without another one.
  const names = ours(quiet).map((name) => name.replace("evalsha", "eval"));
  assertEquals(names, ["ssubscribe", "hmget", "hmget", "eval", "sunsubscribe"]);

  async function subscribers(count: number): Promise<void> {
    await waitUntil(`${count} subscribers`, async () => {
      const reply = await redis.raw.sendCommand([
        "PUBSUB",
        "SHARDNUMSUB",
        channel,
      ]);
      return (reply as unknown as [string, number])[1] === count;
    }, { everyMs: 20 });
  }
});

redisTest("task_watch_that_is_left_leaves_nothing", async (redis) => {
  const store = new TaskStore(await redis.connect());
  const { task } = await store.create("alice", "tools/call");
  await store.lease(task.taskId, "alice", { forMs: 60_000, holder: "w" });
  for await (const _ of store.watch(task.taskId, "alice")) break;
  const controller = new AbortController();
  const waiting = started(store.waitFor(task.taskId, "alice", {
    final: true,
    signal: controller.signal,
  }));
  controller.abort();
  await assertRejects(() => waiting);
  await waitUntil("no subscriber", async () => {
    const reply = await redis.raw.sendCommand(["PUBSUB", "SHARDCHANNELS"]);
    return !(reply as unknown as string[]).some((channel) =>
      channel.startsWith(redis.prefix)
    );
  });
});
