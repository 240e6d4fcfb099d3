/**
 * Checks queues: each message stored once if its push was acknowledged and not
 * at all if it was refused, delivered once at most, and lost only with a shift
 * or drain whose outcome is unknown.
 */

import { type Call, isSuccess, isUnknown } from "./calls.ts";
import { type Findings, report } from "./report.ts";
import type { QueueEvent, Truth } from "./states.ts";
import type { Window } from "./windows.ts";

/** What the truth says about messages: where each was stored and taken. */
export interface Messages {
  readonly pushed: ReadonlyMap<string, readonly number[]>;
  readonly taken: ReadonlyMap<string, readonly number[]>;
}

/** Reads it out of the truth, from a place on. */
export function messagesOf(truth: Truth, from = 0): Messages {
  const pushed = new Map<string, number[]>();
  const taken = new Map<string, number[]>();
  const add = (map: Map<string, number[]>, message: string, at: number) => {
    const places = map.get(message);
    if (places) places.push(at);
    else map.set(message, [at]);
  };
  for (const events of truth.queues.values()) {
    for (const { kind, at, messages } of events) {
      if (at < from) continue;
      for (const message of messages) {
        add(kind === "push" ? pushed : taken, message, at);
      }
    }
  }
  return { pushed, taken };
}

/** Whether a failover has undone a push or a delivery of a message. */
export function undoneBy(
  lost: readonly Messages[],
): (message: string) => boolean {
  return (message) =>
    lost.some(({ pushed, taken }) => pushed.has(message) || taken.has(message));
}

/** The place at which a queue call took effect, where its answer tells. */
export function queuePoint(
  call: Call,
  { pushed, taken }: Messages,
  isUndone: (message: string) => boolean,
): number | undefined {
  const { operation, token, answer } = call;
  const message = operation === "push"
    ? token
    : answer?.is === "messages"
    ? answer.messages[0]
    : undefined;
  if (message === undefined || isUndone(message)) return undefined;
  // One that was stored twice is reported; which is whose cannot be told.
  if ((pushed.get(message)?.length ?? 0) > 1) return undefined;
  return (operation === "push" ? pushed : taken).get(message)?.[0];
}

/** Whether a queue was so empty, or so full, at some time of the call. */
export function queueFit(
  call: Call,
  { lo, hi }: Window,
  truth: Truth,
): number | "never" | undefined {
  const { answer } = call;
  const isEmpty = answer?.is === "messages" && answer.messages.length === 0;
  if (!isEmpty && answer?.is !== "queue full") return undefined;
  const fits = (length: number) =>
    isEmpty ? length === 0 : length >= call.maxLength!;
  let length = 0;
  for (const event of truth.queues.get(call.key) ?? []) {
    if (event.at > lo && fits(length)) return lo;
    if (event.at > hi) return "never";
    ({ length } = event);
    if (event.at > lo && fits(length)) return event.at;
  }
  return fits(length) ? lo : "never";
}

/** Checks every message; see the module. */
export function checkQueues(
  calls: readonly Call[],
  truth: Truth,
  messages: Messages,
  isUndone: (message: string) => boolean,
  windows: ReadonlyMap<Call, Window>,
  findings: Findings,
): void {
  const { pushed, taken } = messages;
  const delivered = new Map<string, Call>();
  const lost = new Map<string, Call[]>();
  const pushes = new Set<string>();
  for (const call of calls) {
    const { operation, key, token } = call;
    if (operation === "push") {
      pushes.add(token);
      const times = pushed.get(token)?.length ?? 0;
      if (times > 1) {
        report(findings, "message stored twice", key, token, call);
      } else if (times === 0 && isSuccess(call)) {
        if (isUndone(token)) findings.lostInFailover++;
        else {report(
            findings,
            "message lost",
            key,
            `${token}: never stored`,
            call,
          );}
      } else if (times > 0 && !isSuccess(call) && !isUnknown(call)) {
        const detail = `told ${call.answer!.is}`;
        report(findings, "refused write is present", key, detail, call);
      }
    } else if (operation === "shift" || operation === "drain") {
      if (isUnknown(call)) lost.set(key, [...lost.get(key) ?? [], call]);
      if (call.answer?.is !== "messages") continue;
      for (const message of call.answer.messages) {
        const earlier = delivered.get(message);
        if (isUndone(message)) {
          findings.fromLostHistory++;
          continue;
        }
        if (earlier) {
          const detail = `${message}, also to #${earlier.index}`;
          report(findings, "message delivered twice", key, detail, call);
        }
        delivered.set(message, call);
        if (!taken.has(message)) {
          report(findings, "message out of nowhere", key, message, call);
        }
      }
    }
  }
  for (const [key, events] of truth.queues) {
    const unknown = (lost.get(key) ?? []).toSorted((a, b) => a.end - b.end);
    for (const event of events) {
      const messages = event.messages.filter((message) => !isUndone(message));
      if (messages.length === 0) continue;
      const left = { ...event, messages };
      checkEvent(key, left, unknown, delivered, pushes, windows, findings);
    }
  }
}

function checkEvent(
  key: string,
  { kind, at, messages }: QueueEvent,
  unknown: Call[],
  delivered: ReadonlyMap<string, Call>,
  pushes: ReadonlySet<string>,
  windows: ReadonlyMap<Call, Window>,
  findings: Findings,
): void {
  if (kind === "push") {
    for (const message of messages) {
      if (!pushes.has(message)) {
        const where = "message out of nowhere";
        report(findings, where, key, message, undefined, at);
      }
    }
    return;
  }
  const missing = messages.filter((message) => !delivered.has(message));
  if (missing.length === 0) return;
  // What no one was given must be with a call that does not know.
  const found = unknown.findIndex((call) => {
    const window = windows.get(call);
    return window === undefined || at > window.lo;
  });
  if (found >= 0) unknown.splice(found, 1);
  else {
    const how = kind === "end" ? "removed with the queue" : "taken";
    const detail = `${missing.join(" ")}: ${how} and given to no one`;
    report(findings, "message lost", key, detail, undefined, at);
  }
}
