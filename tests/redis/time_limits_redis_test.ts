/**
 * A server that does not answer: what a caller waits for ends when the caller
 * has said, and with the error that was promised.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { BackendError, RedisBackend } from "../../mod.ts";
import { TaskTimeoutError } from "../../src/task/errors.ts";
import { TaskStore } from "../../src/task/task_store.ts";
import { RpcClient } from "../mcp/v2026_07_28/client.ts";
import { makeServer } from "../mcp/v2026_07_28/fixture.ts";
import { whileFrozen } from "../support/frozen.ts";
import { serverTest } from "../support/own_server.ts";
import { HOUR, KEY, nthKey } from "../support/suite/env.ts";

/** What a caller may have to wait beyond its time, on a loaded machine too. */
const MARGIN_MS = 300;

/** Fails if a promise is settled before its time or long after it. */
async function takes<T>(ms: number, call: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await call();
  } finally {
    const tookMs = performance.now() - start;
    assert(tookMs > ms - 5, `only ${tookMs} ms instead of ${ms}`);
    assert(tookMs < ms + MARGIN_MS, `${tookMs} ms instead of ${ms}`);
  }
}

function stepsOf<T>(watch: AsyncIterable<T>): AsyncIterator<T, void, void> {
  return watch[Symbol.asyncIterator]();
}

/** Aborts after a time, with a reason of its own. */
function abortAfter(ms: number): { signal: AbortSignal; reason: Error } {
  const reason = new RangeError("enough");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), ms);
  return { signal: controller.signal, reason };
}

serverTest(
  "waitFor_keeps_timeout_and_signal_with_a_server_that_does_not_answer",
  async (server) => {
    await using store = new TaskStore(await RedisBackend.connect(server.url));
    const { task: { taskId } } = await store.create("alice", "tools/call");
    await whileFrozen(server, async () => {
      // Never read: its state is not known, and its time is kept all the same.
      await takes(200, () =>
        assertRejects(
          () => store.waitFor(taskId, "alice", { final: true, timeoutMs: 200 }),
          TaskTimeoutError,
          "still unknown",
        ));
      const { signal, reason } = abortAfter(200);
      const error = await takes(
        200,
        () =>
          assertRejects(() =>
            store.waitFor(taskId, "alice", { final: true, signal })
          ),
      );
      assertStrictEquals(error, reason);
    });
  },
);

serverTest(
  "waitFor_keeps_timeout_and_signal_when_the_server_stops_meanwhile",
  async (server) => {
    await using store = new TaskStore(await RedisBackend.connect(server.url));
    const { task: { taskId } } = await store.create("alice", "tools/call");
    const watch = store.watch(taskId, "alice");
    await watch.next();
    const options = { final: true, timeoutMs: 400 };
    const timed = store.waitFor(taskId, "alice", options);
    const { signal, reason } = abortAfter(400);
    const aborted = store.waitFor(taskId, "alice", { final: true, signal });
    const ends = Promise.all([
      takes(400, () => assertRejects(() => timed, TaskTimeoutError, "working")),
      takes(400, () => assertRejects(() => aborted, RangeError)),
    ]);
    await whileFrozen(server, async () => {
      const [, error] = await ends;
      assertStrictEquals(error, reason);
      // Nothing waits for the server either.
      await takes(0, () => watch.return!().then(() => {}));
    });
  },
);

serverTest(
  "a_signal_ends_a_watch_of_a_server_that_does_not_answer",
  async (server) => {
    await using backend = await RedisBackend.connect(server.url);
    await backend.put(KEY, "x", HOUR);
    const controller = new AbortController();
    const begun = stepsOf(backend.watch(KEY, controller));
    await begun.next();
    await whileFrozen(server, async () => {
      const steps = [
        begun.next(),
        stepsOf(backend.watch(nthKey(2), controller)).next(),
      ];
      const reason = new RangeError("enough");
      await takes(100, async () => {
        setTimeout(() => controller.abort(reason), 100);
        for (const step of steps) {
          const result = await step.then(
            ({ done }) => done,
            (error: unknown) => error,
          );
          assertStrictEquals(result, reason);
        }
      });
    });
  },
);

serverTest(
  "retry_timeout_is_kept_by_every_operation_at_once",
  async (server) => {
    await using backend = await RedisBackend.connect(server.url, {
      retry: { timeoutMs: 300 },
    });
    await backend.put(KEY, "x", HOUR);
    const calls: Record<string, () => Promise<unknown>> = {
      get: () => backend.get(KEY),
      put: () => backend.put(KEY, "y", HOUR),
      putIfVersion: () => backend.putIfVersion(KEY, "y", 1, HOUR),
      create: () => backend.create(nthKey(2), "y", { meta: HOUR }),
      delete: () => backend.delete(KEY),
      listByPrefix: () => backend.listByPrefix("alice:"),
      listPage: () => backend.listPage("alice:"),
      watch: () => stepsOf(backend.watch(KEY)).next(),
      push: () => backend.queues.push(KEY, "m", { ttlMs: 1000 }),
      acquire: () => backend.leases.acquire(KEY, { holder: "h", forMs: 1000 }),
      steps: () => backend.steps.open(KEY, 1),
      offer: () => backend.due.offer(KEY, "q", 1),
    };
    await whileFrozen(server, () =>
      takes(300, async () => {
        const errors = await Promise.all(
          Object.entries(calls).map(async ([name, call]) => {
            const error = await assertRejects(call, BackendError);
            assert(error.cause !== undefined, name);
            return [name, error.outcome] as const;
          }),
        );
        const writes = errors.filter(([, outcome]) => outcome === "unknown");
        assertEquals(
          writes.map(([name]) => name),
          [
            ...["put", "putIfVersion", "create", "delete"],
            ...["push", "acquire", "offer"],
          ],
        );
      }));
  },
);

serverTest(
  "drain_keeps_its_time_and_names_as_failed_only_what_it_has_written",
  async (server) => {
    await using store = new TaskStore(await RedisBackend.connect(server.url));
    const errors: unknown[] = [];
    const { extension, fetch } = makeServer(store, {
      onError: (error) => void errors.push(error),
    });
    const client = new RpcClient(fetch);
    const id = await client.start("ignores_signal");
    await whileFrozen(server, async () => {
      const result = await takes(
        200,
        () => extension.drain({ timeoutMs: 200 }),
      );
      assertEquals(result, { finished: [], failed: [], unsaved: [id] });
    });
  },
);
