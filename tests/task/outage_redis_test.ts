/**
 * A Redis that stays away for longer than an operation is tried: who waits for
 * a task is told, a worker's signal goes on.
 *
 * @module
 */

import { assert, assertRejects } from "@std/assert";
import { TaskStorageError, TaskStore } from "../../mod.ts";
import { redisTest } from "../support/redis_fixture.ts";
import { TcpProxy } from "../support/proxy.ts";
import { deadline, waitUntil } from "../support/wait.ts";
import { started } from "./suite/env.ts";

redisTest(
  "task_waits_fail_in_an_outage_and_signals_outlive_it",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const store = new TaskStore(
      await redis.connect(
        { retry: { timeoutMs: 300 }, watchRefreshMs: 100 },
        proxy.url,
      ),
    );
    const { task: { taskId } } = await store.create("alice", "tools/call");
    const signal = store.signalFor(taskId, "alice");
    const waiting = started(store.waitFor(taskId, "alice", { final: true }));
    const watch = store.watch(taskId, "alice")[Symbol.asyncIterator]();
    await watch.next();
    const watching = started(watch.next());

    proxy.mode = "down";
    proxy.cutAll();
    for (const pending of [waiting, watching] as Promise<unknown>[]) {
      await assertRejects(
        () => deadline("the failure", pending),
        TaskStorageError,
      );
    }
    assert(!signal.aborted);

    proxy.mode = "up";
    const other = new TaskStore(await redis.connect());
    await other.cancel(taskId, "alice");
    await waitUntil("the signal", () => signal.aborted);
  },
);
