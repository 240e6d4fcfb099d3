/**
 * Many streams of `subscriptions/listen`, some of which do not read: how late
 * those that read are, and what all of them cost.
 *
 * @module
 */

import { type StorageBackend, TaskStore } from "../../../mod.ts";
import { type Listening, RpcClient } from "./client.ts";
import { makeServer } from "./fixture.ts";
import { inUse } from "../../support/heap.ts";
import { pause } from "../../support/wait.ts";

/** How much of it. */
export interface ListenLoad {
  /** The owners; each has the same share of tasks and streams. */
  readonly owners: number;
  readonly tasks: number;
  readonly streams: number;
  /** Every so many-th stream reads no more than its first message. */
  readonly stuckEvery: number;
  /** How often each task changes. */
  readonly changes: number;
  /** How long all tasks take to change once, in milliseconds. */
  readonly roundMs: number;
  /** The size of each state, in characters. */
  readonly stateLength: number;
}

/** What it came to. */
export interface ListenLoadReport {
  /** States that reached streams that read. */
  readonly received: number;
  /** The longest time from a write to a stream that reads, in milliseconds. */
  readonly maxLateMs: number;
  readonly medianLateMs: number;
  /** The longest time the process did nothing else, in milliseconds. */
  readonly maxStallMs: number;
  /** Streams that read and have not got the last state of each of their tasks. */
  readonly incomplete: number;
  /** Memory in use with all streams open and nothing changed yet, in bytes. */
  readonly openBytes: number;
  /** The most that was in use afterwards. */
  readonly peakBytes: number;
  /** What was in use with all changes made. */
  readonly endBytes: number;
  /** What all states would take that were not sent to those that do not read. */
  readonly unsentBytes: number;
}

/** The first characters of a state, as they are on the wire. */
const STATE = /"taskId":"([^"]+)".*?"statusMessage":"(\d+) /s;

/** Runs it. */
export async function runListenLoad(
  backend: StorageBackend,
  load: ListenLoad,
): Promise<ListenLoadReport> {
  const store = new TaskStore(backend);
  const errors: unknown[] = [];
  const { fetch, extension } = makeServer(store, {
    maxSubscriptions: load.streams,
    maxSubscriptionsPerOwner: load.streams,
    onError: (error) => void errors.push(error),
  });
  const owners = Array.from({ length: load.owners }, (_, i) => `load-${i}`);
  const tasks = await Promise.all(
    Array.from({ length: load.tasks }, async (_, i) => {
      const owner = owners[i % owners.length]!;
      const { task } = await store.create(owner, "tools/call");
      return { owner, taskId: task.taskId };
    }),
  );
  /** When each state of a task was written, by its number. */
  const written = new Map(tasks.map(({ taskId }) => [taskId, [0]]));
  const late: number[] = [];
  const behind: Map<string, number>[] = [];
  const stuck: ReadableStreamDefaultReader<Uint8Array>[] = [];
  const open: Listening[] = [];
  const reading: Promise<void>[] = [];
  for (let i = 0; i < load.streams; i++) {
    const owner = owners[i % owners.length]!;
    const client = new RpcClient(fetch, { owner });
    const taskIds = tasks.filter((task) => task.owner === owner)
      .map(({ taskId }) => taskId);
    const listening = await client.listen({ taskIds });
    open.push(listening);
    // Past the reader of messages: it would take the bytes ahead.
    const reader = listening.response.body!.getReader();
    await reader.read();
    if (i % load.stuckEvery === 0) {
      stuck.push(reader);
      continue;
    }
    const seen = new Map(taskIds.map((taskId) => [taskId, 0]));
    behind.push(seen);
    reading.push(follow(reader, (taskId, number) => {
      const times = written.get(taskId)!;
      const last = seen.get(taskId)!;
      // The oldest state it had not got is the one it is late with.
      if (number > last) late.push(performance.now() - times[last + 1]!);
      seen.set(taskId, Math.max(number, last));
    }));
  }
  let turnAt = performance.now();
  let maxStallMs = 0;
  const turns = setInterval(() => {
    const now = performance.now();
    maxStallMs = Math.max(maxStallMs, now - turnAt);
    turnAt = now;
  }, 10);
  const openBytes = inUse();
  let peakBytes = openBytes;
  const pad = "x".repeat(load.stateLength);
  for (let number = 1; number <= load.changes; number++) {
    const start = performance.now();
    for (const [i, { taskId, owner }] of tasks.entries()) {
      const due = start + i * load.roundMs / tasks.length;
      if (due > performance.now()) await pause(due - performance.now());
      written.get(taskId)!.push(performance.now());
      await store.update(taskId, owner, { statusMessage: `${number} ${pad}` });
    }
    peakBytes = Math.max(peakBytes, inUse());
  }
  // The last states are on their way.
  const isIncomplete = (seen: Map<string, number>) =>
    [...seen.values()].some((number) => number < load.changes);
  const end = performance.now() + 5000;
  while (behind.some(isIncomplete) && performance.now() < end) await pause(10);
  const incomplete = behind.filter(isIncomplete).length;
  clearInterval(turns);
  const endBytes = inUse();
  await extension.drain({ timeoutMs: 0 });
  await Promise.all(reading);
  for (const reader of stuck) await reader.cancel().catch(() => {});
  if (errors.length > 0) throw errors[0];
  late.sort((a, b) => a - b);
  return {
    received: late.length,
    maxLateMs: late.at(-1) ?? 0,
    medianLateMs: late[late.length >> 1] ?? 0,
    maxStallMs,
    incomplete,
    openBytes,
    peakBytes,
    endBytes,
    unsentBytes: stuck.length * load.changes * load.stateLength *
      load.tasks / load.owners,
  };
}

/** Reads a stream to its end; a state of these tests is within one chunk. */
async function follow(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  got: (taskId: string, number: number) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    const state = STATE.exec(decoder.decode(value.subarray(0, 400)));
    if (state) got(state[1]!, Number(state[2]));
  }
}
