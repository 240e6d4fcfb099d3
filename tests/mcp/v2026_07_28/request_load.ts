/**
 * Random and malformed requests to the extension, `subscriptions/listen`
 * included: what they are answered with, and what they leave.
 *
 * @module
 */

import { MemoryBackend, TaskStore } from "../../../mod.ts";
import { makeServer } from "./fixture.ts";
import { inUse } from "../../support/heap.ts";
import { deadline, pause } from "../../support/wait.ts";

/** How many, and from which seed. */
export interface RequestLoad {
  readonly requests: number;
  readonly seed: number;
}

/** What it came to. */
export interface RequestLoadReport {
  /** Answers by HTTP status. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Answers of status 500 or error -32603 without a call of `onError`. */
  readonly untold: readonly string[];
  /** Rejections that no one has handled, and requests that threw. */
  readonly unhandled: readonly unknown[];
  /** Memory in use at each tenth, in bytes. */
  readonly bytes: readonly number[];
}

const META = "io.modelcontextprotocol/";
const TOOLS = [
  "slow_compute",
  "failing_job",
  "protocol_error_job",
  "confirm_delete",
  "multi_input",
  "returns",
  "greet",
  "none",
];
const METHODS = [
  "tools/call",
  "tasks/get",
  "tasks/update",
  "tasks/cancel",
  "subscriptions/listen",
  "subscriptions/listen",
  "tasks/list",
  "tools/list",
];

/** Sends them, ten at a time. */
export async function runRequestLoad(
  { requests, seed }: RequestLoad,
): Promise<RequestLoadReport> {
  const unhandled: unknown[] = [];
  const onUnhandled = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onUnhandled);
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend, {
    limits: { defaultTtlMs: 2000, maxTasksPerOwner: 300 },
  });
  const told: unknown[] = [];
  const { fetch, extension } = makeServer(store, {
    maxSubscriptions: 50,
    onError: (error) => void told.push(error),
  });
  const random = randomOf(seed);
  const ids: string[] = [];
  const statuses: Record<number, number> = {};
  const untold: string[] = [];
  const bytes: number[] = [];
  const send = async () => {
    const leave = new AbortController();
    const request = random.request(ids, leave.signal);
    // Some leave while they are being answered, or do not read the answer.
    const leaves = random.chance(0.05);
    if (leaves) queueMicrotask(() => leave.abort());
    const before = told.length;
    let response: Response;
    try {
      response = await deadline("an answer", fetch(request));
    } catch (error) {
      return void unhandled.push(error);
    }
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    const type = response.headers.get("content-type") ?? "";
    if (type.startsWith("text/event-stream")) {
      if (random.chance(0.5)) await response.body!.getReader().read();
      if (random.chance(0.5)) leave.abort();
      else if (!response.body!.locked) await response.body!.cancel();
      else leave.abort();
      return;
    }
    const text = await response.text();
    // Of the request itself: a task may have failed with this code long before.
    const isFailure = response.status === 500 ||
      text.startsWith("{") && JSON.parse(text).error?.code === -32603;
    if (!isFailure) {
      const taskId = /"taskId":"([^"]+)"/.exec(text)?.[1];
      if (taskId !== undefined) {
        ids.push(taskId);
        if (ids.length > 100) ids.shift();
      }
    } else if (told.length === before) {
      untold.push(`${response.status} ${text.slice(0, 300)}`);
    }
  };
  try {
    let sent = 0;
    const tenth = Math.max(1, Math.floor(requests / 10));
    const sender = async () => {
      while (sent < requests) {
        if (++sent % tenth === 0) {
          await backend.cleanupExpired();
          bytes.push(inUse());
        }
        await send();
        // All of it is in memory: without this, no timer would have its turn.
        await pause(0);
      }
    };
    await Promise.all(Array.from({ length: 10 }, sender));
    await extension.drain({ timeoutMs: 0 });
    // A rejection is known as unhandled after the turn it was made in.
    await pause(0);
  } finally {
    globalThis.removeEventListener("unhandledrejection", onUnhandled);
  }
  return { statuses, untold, unhandled, bytes };
}

/** Everything that is random, from one seed. */
function randomOf(seed: number) {
  // mulberry32
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
  const chance = (p: number) => next() < p;
  const pick = <T>(all: readonly T[]): T =>
    all[Math.floor(next() * all.length)]!;
  const junk = (depth = 0): unknown =>
    pick<() => unknown>([
      () => null,
      () => next() * 1e9,
      () => -1,
      () => "",
      () => "x".repeat(Math.floor(next() * 300)),
      () => "\ud800\u0000é😀",
      () => true,
      () => depth > 3 ? [] : [junk(depth + 1), junk(depth + 1)],
      () =>
        depth > 3 ? {} : {
          [pick(["__proto__", "taskId", "x", "constructor"])]: junk(depth + 1),
          [pick(["notifications", "_meta", "y"])]: junk(depth + 1),
        },
    ])();
  const maybe = (value: unknown): unknown => chance(0.97) ? value : junk();

  function params(method: string, ids: readonly string[]): unknown {
    const taskId = chance(0.7) && ids.length > 0 ? pick(ids) : junk();
    const own: Record<string, unknown> = {};
    if (method === "tools/call") {
      own.name = maybe(pick(TOOLS));
      own.arguments = maybe({
        seconds: maybe(pick([0, 0.001, 0.01])),
        label: maybe("l"),
        filename: maybe("f"),
        name: maybe("n"),
        kind: maybe(pick(["nothing", "bigint", "input", "dom"])),
      });
    } else if (method === "subscriptions/listen") {
      own.notifications = maybe({
        taskIds: maybe([taskId, ...ids.slice(0, 5)]),
        toolsListChanged: maybe(chance(0.3)),
      });
    } else {
      own.taskId = taskId;
      own.inputResponses = maybe({
        [pick(["confirm", "who", "sure"])]: maybe({
          action: "accept",
          content: junk(),
        }),
      });
    }
    own._meta = maybe({
      [`${META}protocolVersion`]: maybe("2026-07-28"),
      [`${META}clientInfo`]: maybe({ name: "load", version: "1" }),
      [`${META}clientCapabilities`]: maybe({
        elicitation: maybe({}),
        extensions: maybe({ [`${META}tasks`]: maybe({}) }),
      }),
    });
    return maybe(own);
  }

  function request(ids: readonly string[], signal: AbortSignal): Request {
    const method = pick(METHODS);
    const message = {
      jsonrpc: maybe("2.0"),
      id: maybe(Math.floor(next() * 1000)),
      method: chance(0.95) ? method : junk(),
      params: params(method, ids),
    };
    let body = JSON.stringify(chance(0.98) ? message : junk()) ?? "";
    if (chance(0.03)) body = body.slice(0, Math.floor(next() * body.length));
    const named = message.params as
      | { name?: unknown; taskId?: unknown }
      | null;
    const name = named?.name ?? named?.taskId;
    const headers = new Headers({
      "content-type": chance(0.98) ? "application/json" : "text/plain",
      accept: "application/json, text/event-stream",
    });
    if (chance(0.97)) headers.set("mcp-method", method);
    if (chance(0.97)) headers.set("mcp-protocol-version", "2026-07-28");
    if (typeof name === "string" && /^[!-~]+$/.test(name) && chance(0.97)) {
      headers.set("mcp-name", name);
    }
    if (chance(0.7)) {
      headers.set("authorization", `Bearer ${pick(["a", "b", "c"])}`);
    }
    const verb = chance(0.98) ? "POST" : pick(["GET", "DELETE", "PUT"]);
    return new Request("http://localhost/mcp", {
      method: verb,
      headers,
      body: verb === "GET" ? null : body,
      signal,
    });
  }
  return { chance, request };
}
