/**
 * A worker in a second process is killed, as by a crash: its task is failed
 * once, in time, and not before.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { LeaseLostError, type TaskRecord, TaskStore } from "../../mod.ts";
import { type RedisFixture, withRedis } from "../support/redis_fixture.ts";
import { started, times } from "./suite/env.ts";
import type { WorkerOrders } from "./worker.ts";
import { workerEnabled } from "./worker_gate.ts";
import { deadline, pause, waitUntil } from "../support/wait.ts";

/** How far an instance may be off in what it thinks of a lease. */
const ESTIMATE_MS = 100;
const FOR_MS = 600;
const HOLDER = "worker-1";

workerTest("task_of_a_killed_worker_fails_once", async (redis) => {
  const stores = await openStores(redis, 4);
  const { task } = await stores[0]!.create("alice", "tools/call");
  const { taskId } = task;
  await using worker = await startWorker(redis, taskId);

  // While it lives its lease is renewed: well past the first one's end.
  await worker.says("renewed 8");
  const living = await stores[1]!.get(taskId, "alice");
  assertEquals(living.task.status, "working");
  assertEquals(living.lease?.holder, HOLDER);

  await worker.kill();
  // Read after its death: nothing more is written by it.
  const last = await stores[1]!.get(taskId, "alice");
  const endMs = Date.parse(last.lease!.expiresAt);
  // An estimate: the clock of Redis decides.
  assert(endMs - Date.now() <= FOR_MS + ESTIMATE_MS);
  assertEquals(last.task.status, "working", "not before the lease is over");

  // Many readers, over and over: one of them fails it, as soon as it may.
  const seen = await Promise.all(
    times(16, (n) => readUntilFailed(stores[n % 4]!, taskId)),
  );
  for (const { record, readMs } of seen) {
    assertEquals(record, seen[0]!.record);
    const lateMs = readMs - endMs;
    assert(
      lateMs >= -ESTIMATE_MS,
      `failed ${-lateMs} ms before its lease was over`,
    );
    assert(lateMs < 500, `failed ${lateMs} ms after its lease was over`);
  }
  const { record } = seen[0]!;
  assertEquals(record.version, last.version + 1, "one write");
  assertEquals(record.lostLease?.holder, HOLDER);
  assert(record.task.statusMessage!.startsWith("worker lost"));
  // What it had done stays.
  assertEquals(record.variables, last.variables);

  // Were it only late, and not dead, it would be refused.
  for (const ref of [taskId, last]) {
    await assertRejects(
      () => stores[0]!.completeWithResult(ref, "alice", "late"),
      LeaseLostError,
    );
  }
  assertEquals((await stores[2]!.get(taskId, "alice")).version, record.version);
});

workerTest("task_of_a_killed_worker_wakes_who_waits", async (redis) => {
  const stores = await openStores(redis, 2);
  const { task } = await stores[0]!.create("alice", "tools/call");
  const { taskId } = task;
  await using worker = await startWorker(redis, taskId);
  const waiting = started(Promise.all(
    times(6, (n) => stores[n % 2]!.waitFor(taskId, "alice", { final: true })),
  ));
  await worker.says("renewed 2");
  await worker.kill();
  const killedMs = Date.now();
  // No one reads the task: those who wait must find out by themselves.
  const records = await deadline("the loss", waiting, FOR_MS + 2000);
  const tookMs = Date.now() - killedMs;
  assert(tookMs < FOR_MS + 500, `${tookMs} ms after its death`);
  for (const record of records) assertEquals(record, records[0]);
  assertEquals(records[0]?.task.status, "failed");
  const { version } = await stores[1]!.get(taskId, "alice");
  assertEquals(records[0]?.version, version, "one write");
});

/** Reads in a row, without a pause, as several servers' clients may. */
async function readUntilFailed(
  store: TaskStore,
  taskId: string,
): Promise<{ record: TaskRecord; readMs: number }> {
  for (let n = 0;; n++) {
    const record = n % 2 === 0
      ? await store.get(taskId, "alice")
      : (await store.list("alice")).tasks[0]!;
    if (record.task.status === "failed") return { record, readMs: Date.now() };
    await pause(1);
  }
}

async function openStores(
  redis: RedisFixture,
  count: number,
): Promise<TaskStore[]> {
  const backends = await Promise.all(times(count, () => redis.connect()));
  return backends.map((backend) => new TaskStore(backend));
}

async function startWorker(redis: RedisFixture, taskId: string) {
  const orders: WorkerOrders = {
    url: redis.url,
    prefix: redis.prefix,
    owner: "alice",
    taskId,
    holder: HOLDER,
    forMs: FOR_MS,
    renewMs: FOR_MS / 6,
  };
  const program = new URL("./worker.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-lock",
      "--allow-net",
      "--allow-env",
      program,
      JSON.stringify(orders),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let printed = "";
  const reading = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({ write: (text) => void (printed += text) }),
  );
  let ended = false;
  child.status.then(() => ended = true);
  const kill = async () => {
    if (!ended) child.kill("SIGKILL");
    const { signal } = await child.status;
    await reading;
    return signal;
  };
  const says = async (line: string) => {
    await waitUntil(
      `the worker says "${line}"`,
      () => printed.includes(`${line}\n`) || ended,
      { deadlineMs: 30_000 },
    );
    assert(!ended, `the worker has ended after: ${printed}`);
  };
  await says("leased").catch(async (error) => {
    await kill();
    throw error;
  });
  return {
    says,
    kill: async () => assertEquals(await kill(), "SIGKILL"),
    [Symbol.asyncDispose]: async () => void await kill(),
  };
}

function workerTest(
  name: string,
  body: (redis: RedisFixture) => Promise<void>,
): void {
  Deno.test({
    name: `redis_${name}`,
    ignore: !workerEnabled,
    fn: () => withRedis(body),
  });
}
