/**
 * How long it takes from a completion on one instance to the wake-up of a
 * waiting one, in a thread of its own, with a PING as the measure, and with
 * the least that could do the same beside it: a script that writes and
 * publishes, and a read once the event has come, on bare node-redis.
 *
 * @module
 */

import {
  isMainThread,
  parentPort,
  Worker,
  workerData,
} from "node:worker_threads";
import { RedisBackend, TaskStore } from "../../mod.ts";
import { type Bed, connectRaw, PREFIX } from "./bed.ts";
import type { WakeUp } from "./settings.ts";
import { median } from "./statistics.ts";

const REPETITIONS = 300;
const WARM_UP = 50;
/** Instances that wait are idle: so are these, before every measurement. */
const IDLE_MS = 10;

const OPTIONS = { prefix: `${PREFIX}-wake` };

/** Hash and channel of the least that could do the same. */
const BARE = `${PREFIX}-wake-bare`;

const WRITE_AND_PUBLISH = `
redis.call('HSET', KEYS[1], 'version', '2', 'data', ARGV[1])
redis.call('SPUBLISH', KEYS[1], '2')
return 1`;

/** The task that the other thread waits for. */
interface Waited {
  readonly taskId: string;
  readonly owner: string;
}

/** Whether this is the thread that waits: then it runs nothing else. */
export function isWaitingThread(): boolean {
  return !isMainThread;
}

/** Waits for the tasks it is told, and answers when it has woken up. */
export async function runWaitingThread(): Promise<void> {
  const reader = await connectRaw(workerData, { timeout: 0 });
  const subscriber = await connectRaw(workerData);
  await subscriber.sSubscribe(BARE, async () => {
    await reader.hmGet(BARE, ["version", "data"]);
    parentPort!.postMessage(nowMs());
  });
  const store = new TaskStore(await RedisBackend.connect(workerData, OPTIONS));
  parentPort!.on("message", async ({ taskId, owner }: Waited) => {
    await store.waitFor(taskId, owner, { final: true });
    parentPort!.postMessage(nowMs());
  });
  // A message that comes before there is a listener is lost on Deno.
  parentPort!.postMessage(nowMs());
}

/**
 * Measures completions, the least that could do the same, and pings in turns.
 *
 * @param program The module of this process, which runs in the thread too.
 */
export async function measureWakeUp(
  { settings, tuned, data }: Bed,
  program: URL,
): Promise<WakeUp> {
  const store = new TaskStore(
    await RedisBackend.connect(settings.url, OPTIONS),
  );
  const waiting = new Worker(program, { workerData: settings.url });
  await answerOf(waiting);
  const wakeUps: number[] = [];
  const floors: number[] = [];
  const pings: number[] = [];
  const publish = await tuned.scriptLoad(WRITE_AND_PUBLISH);
  for (let i = 0; i < WARM_UP + REPETITIONS; i++) {
    const owner = `owner-${Math.floor(i / 20)}`;
    const held = await store.create(owner, "tools/call");
    const { taskId } = held.task;
    waiting.postMessage({ taskId, owner } satisfies Waited);
    const channel = `${OPTIONS.prefix}:events:{${owner}}:${taskId}`;
    while (await subscribers(tuned, channel) === 0) await pause(1);
    await pause(IDLE_MS);
    const pingMs = nowMs();
    await tuned.ping();
    const pongMs = nowMs();
    await pause(IDLE_MS);
    const wokenBare = answerOf(waiting);
    const bareMs = nowMs();
    const written = tuned.evalSha(publish, { keys: [BARE], arguments: [data] });
    const wokenBareMs = await wokenBare;
    await written;
    await pause(IDLE_MS);
    const woken = answerOf(waiting);
    const startMs = nowMs();
    const completed = store.completeWithResult(held, owner, { ok: true });
    const wokenMs = await woken;
    await completed;
    if (i < WARM_UP) continue;
    pings.push((pongMs - pingMs) * 1000);
    floors.push((wokenBareMs - bareMs) * 1000);
    wakeUps.push((wokenMs - startMs) * 1000);
  }
  await waiting.terminate();
  await store.close();
  return {
    us: median(wakeUps),
    floorUs: median(floors),
    pingUs: median(pings),
  };
}

/** The next message of the waiting thread; its failure is thrown. */
function answerOf(waiting: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    waiting.once("error", reject);
    waiting.once("message", (ms) => {
      waiting.off("error", reject);
      resolve(ms);
    });
  });
}

/** A clock that both threads share. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

async function subscribers(
  client: Bed["tuned"],
  channel: string,
): Promise<number> {
  const answer = await client.pubSubShardNumSub(channel);
  return Number(Object.values(answer)[0] ?? 0);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
