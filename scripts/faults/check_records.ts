/**
 * Checks the writes of records against their calls: each version written by
 * one call, none twice, none refused, none missing, each under its condition.
 */

import { type Call, isSuccess, isUnknown, RECORD_WRITES } from "./calls.ts";
import { type Findings, report } from "./report.ts";
import { ANY, type State, type Truth } from "./states.ts";

/** A write as the truth has it. */
export interface Write {
  readonly key: string;
  readonly state: State;
  readonly before: State;
}

/** How far the clocks of a server and of this process may differ. */
export const SLACK_MS = 25;

/** Every write of the truth by the operation id it is stored under. */
export function writesOf(truth: Truth): Map<string, Write[]> {
  const writes = new Map<string, Write[]>();
  for (const [key, states] of truth.records) {
    for (let i = 1; i < states.length; i++) {
      const state = states[i]!;
      if (!state.isWrite || state.id === "") continue;
      const found = writes.get(state.id);
      const write = { key, state, before: states[i - 1]! };
      // A late try after the end of what it wrote itself changes nothing.
      if (found && state.token === ANY && write.before.version === 0) continue;
      if (found) found.push(write);
      else writes.set(state.id, [write]);
    }
  }
  return writes;
}

/** Checks every write of the truth: that a call made it, and could. */
export function checkWrites(
  truth: Truth,
  byId: ReadonlyMap<string, Call>,
  findings: Findings,
): void {
  // Servers go on expiring until their files are read.
  const endMs = Date.now();
  for (const [key, states] of truth.records) {
    for (let i = 1; i < states.length; i++) {
      const state = states[i]!;
      const before = states[i - 1]!;
      if (!state.isWrite) continue;
      const { at, version } = state;
      if (state.id === "" && version === 0) {
        const { expiresAt } = before;
        if (expiresAt === undefined || expiresAt > endMs) {
          const detail = `version ${before.version} was removed by no call`;
          report(findings, "record vanished", key, detail, undefined, at);
        }
        continue;
      }
      const call = byId.get(state.id);
      if (call === undefined || call.key !== key) {
        const detail = `version ${version} of id ${state.id || "(none)"}`;
        report(findings, "write of no call", key, detail, call, at);
        continue;
      }
      if (version !== 0 && version !== before.version + 1) {
        const detail = `${version} after ${before.version}`;
        report(findings, "version does not follow", key, detail, call, at);
      }
      const problem = difference(call, state);
      if (problem) {
        report(findings, "write differs from its call", key, problem, call, at);
      }
      const unmet = unmetCondition(call, before);
      if (unmet) {
        const kind = "condition of the write was not met";
        report(findings, kind, key, unmet, call, at);
      }
    }
  }
}

/** What of a write is not as its call asked. */
function difference(call: Call, state: State): string | undefined {
  if ((call.operation === "delete") !== (state.version === 0)) {
    return `a ${call.operation} made version ${state.version}`;
  }
  if (state.version === 0) return undefined;
  if (state.token === ANY) {
    return (call.expiresAt ?? Infinity) <= call.endMs + SLACK_MS
      ? undefined
      : `left no record, asked for one until ${call.expiresAt}`;
  }
  if (call.token !== state.token) return `the text is ~${state.token}~`;
  if ((call.active ?? false) !== state.active) {
    return `active is ${state.active}`;
  }
  // Without times given they are in the text, which is the caller's own.
  if (call.expiresAt !== null && call.expiresAt !== state.expiresAt) {
    return `ends at ${state.expiresAt}, asked for ${call.expiresAt}`;
  }
  return undefined;
}

/** Why a write should have been refused. */
function unmetCondition(call: Call, before: State): string | undefined {
  const { operation, expected, fence } = call;
  const is = before.version === 0 ? "absent" : `${before.version}.${before.id}`;
  if (operation === "create" || operation === "create leased") {
    return before.version === 0 ? undefined : `created over ${is}`;
  }
  if (operation === "delete" && before.version === 0) {
    return "nothing was there";
  }
  if (expected) {
    const { version, etag } = expected;
    if (before.version !== version || (etag !== "" && before.id !== etag)) {
      return `expected ${version}.${etag || "*"}, was ${is}`;
    }
  }
  if (fence === undefined) return undefined;
  const { lease } = before;
  const has = lease ? `${lease.fence} until ${lease.untilMs}` : "none";
  if (lease?.fence !== fence) return `fence ${fence}, the lease is ${has}`;
  if (operation === "expire") {
    return lease.untilMs <= call.endMs + SLACK_MS
      ? undefined
      : `expired before its end: ${has}`;
  }
  return lease.untilMs > call.startMs - SLACK_MS
    ? undefined
    : `written after the end of the lease: ${has}`;
}

/** Checks what each writer of a record was told. */
export function checkAnswers(
  calls: readonly Call[],
  writes: ReadonlyMap<string, readonly Write[]>,
  /** Writes a failover has lost, and whether those confirmed, too. */
  lostWrites: ReadonlyMap<string, boolean>,
  findings: Findings,
): void {
  for (const call of calls) {
    if (!RECORD_WRITES.has(call.operation)) continue;
    const { key, id, answer } = call;
    const made = writes.get(id) ?? [];
    if (made.length > 1) {
      const places = made.map(({ state }) => `@${state.at}`).join(", ");
      const at = made[1]!.state.at;
      report(findings, "write was applied twice", key, places, call, at);
    }
    const first = made[0];
    if (isSuccess(call)) {
      if (first !== undefined) checkSuccess(call, first, findings);
      else if (
        lostWrites.get(id) || (lostWrites.has(id) && !isConfirmed(call))
      ) {
        findings.lostInFailover++;
      } else {
        const detail = `told ${answer!.is}`;
        report(findings, "acknowledged write is missing", key, detail, call);
      }
    } else if (first !== undefined && !isUnknown(call)) {
      const detail = `told ${
        answer!.is
      }, applied as version ${first.state.version}`;
      const { at } = first.state;
      report(findings, "refused write is present", key, detail, call, at);
    }
  }
}

/** Whether the call was told that replicas have its write. */
function isConfirmed({ durable, answer }: Call): boolean {
  return durable && answer?.is !== "failed";
}

function checkSuccess(call: Call, { state }: Write, findings: Findings): void {
  const { answer } = call;
  const told = answer?.is === "version" || answer?.is === "failed"
    ? answer.version
    : answer?.is === "fence"
    ? answer.fence
    : undefined;
  // What has left no record has left no lease to compare with.
  const isFence = answer?.is !== "fence" || answer.fence > 1_000_000;
  if (state.token === ANY && isFence) return;
  const is = answer?.is === "fence" ? state.lease?.fence : state.version;
  if (told !== undefined && told !== is) {
    const detail = `told ${told}, wrote ${is}`;
    report(
      findings,
      "wrong answer of a write",
      call.key,
      detail,
      call,
      state.at,
    );
  }
}
