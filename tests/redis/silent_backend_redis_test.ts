/**
 * A whole backend whose connections go silent without being closed: operations
 * succeed again within five seconds, and no watch is later than six.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { RedisBackend, TaskStore } from "../../mod.ts";
import { serverTest } from "../support/own_server.ts";
import { TcpProxy } from "../support/proxy.ts";
import { HOUR, KEY, nthKey } from "../support/suite/env.ts";
import { deadline, pause, waitUntil } from "../support/wait.ts";

/** How long a watch may be late, in milliseconds. */
const WATCH_MS = 6000;

/** Within which operations succeed again, in milliseconds. */
const RECOVERY_MS = 5000;

for (const busy of [false, true]) {
  serverTest(
    `silent_connections_of_${busy ? "a_busy" : "an_idle"}_backend_are_replaced`,
    async (server, raw) => {
      await using proxy = new TcpProxy(server.url);
      await using backend = await RedisBackend.connect(proxy.url);
      await using direct = await RedisBackend.connect(server.url);
      await backend.put(KEY, "1", HOUR);
      const watch = backend.watch(KEY)[Symbol.asyncIterator]();
      assertEquals((await watch.next()).value?.version, 1);
      const store = new TaskStore(backend);
      const { task: { taskId } } = await store.create("alice", "tools/call");
      const waiting = store.waitFor(taskId, "alice", { final: true })
        .then(() => performance.now());
      const signal = store.signalFor(taskId, "alice");
      const aborted = new Promise<number>((resolve) =>
        signal.addEventListener("abort", () => resolve(performance.now()))
      );
      await waitUntil(
        "all is subscribed",
        async () =>
          (await raw.sendCommand(["PUBSUB", "SHARDCHANNELS"]) as string[])
            .length === 2,
      );

      proxy.freezeAll();
      const start = performance.now();
      const step = watch.next();
      const seen = step.then(() => performance.now());
      await direct.put(KEY, "2", HOUR);
      await new TaskStore(direct).cancel(taskId, "alice");
      let working = true;
      const operations: Promise<unknown>[] = [];
      if (busy) {
        for (let n = 0; working && n < 200; n++) {
          operations.push(
            backend.put(nthKey(n), "x", HOUR).then(() => working = false),
          );
          await pause(50);
        }
      } else {
        operations.push(backend.put(nthKey(0), "x", HOUR));
      }
      await deadline("every operation", Promise.all(operations), 12_000);
      const recoveryMs = performance.now() - start;
      const lateMs = {
        watch: await seen - start,
        signal: await aborted - start,
        waitFor: await waiting.catch(() => performance.now()) - start,
      };
      console.log("ms:", { recoveryMs, ...lateMs });
      assert(recoveryMs < RECOVERY_MS, `${recoveryMs} ms until an answer`);
      for (const [what, ms] of Object.entries(lateMs)) {
        assert(ms < WATCH_MS, `${what} was ${ms} ms late`);
      }
      assertEquals((await step).value?.data, "2");
      await watch.return!();
    },
  );
}
