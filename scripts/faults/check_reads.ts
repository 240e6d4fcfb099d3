/**
 * Checks the answers that say what is stored, refusals included: there must be
 * a time of the call at which each was true.
 */

import type { Call, SeenRecord } from "./calls.ts";
import { SLACK_MS } from "./check_records.ts";
import type { State, Truth } from "./states.ts";
import { firstFit, stateAt, type Window } from "./windows.ts";

/**
 * The first place of the window at which the answer is true; `"never"`, or
 * `undefined` where the answer says nothing of what is stored.
 */
export function fitOf(
  call: Call,
  window: Window,
  truth: Truth,
  owners: Owners,
): number | "never" | undefined {
  const { answer, key } = call;
  const states = truth.records.get(key);
  const fit = (fits: (state: State) => boolean) =>
    firstFit(states, window, fits) ?? "never";
  switch (answer?.is) {
    case "absent":
      return fit((state) => isAbsent(state, call));
    case "record":
      return fit((state) => shows(state, answer.record, call));
    case "records":
      return listFit(call, answer.records, window, truth, owners);
    case "conflict": {
      // A refusal that is repeated tells the version of then.
      const is = fit((state) => isAt(state, answer.actual, call));
      const was = fit((state) => conflicts(state, call));
      return is === "never" || was === "never" ? "never" : Math.min(is, was);
    }
    case "capacity":
      return capacityFit(call, answer.unit, window, truth, owners);
    case "leased":
      return fit(({ lease }) =>
        lease?.holder === answer.holder && lease.holder !== call.holder &&
        lease.untilMs > call.startMs - SLACK_MS
      );
    case "fenced":
      return fit((state) =>
        isPresent(state, call) &&
        (call.operation === "expire"
          ? state.lease?.fence !== call.fence
          : !holds(state, call))
      );
    case "boolean":
      if (call.operation === "release") {
        return fit((state) =>
          isPresent(state, call) &&
          (answer.value
            ? state.lease === undefined
            // An older one, where a failover has undone its own.
            : state.lastFence > call.fence! ||
              (state.lease !== undefined && state.lease.fence !== call.fence))
        );
      }
      return answer.value ? undefined : fit((state) => isAbsent(state, call));
    case "fence":
      if (call.operation !== "acquire") return undefined;
      return fit(({ lease }) =>
        lease?.fence === answer.fence && lease.holder === call.holder
      );
    case "done":
      if (call.operation !== "renew") return undefined;
      return fit(({ lease }) => {
        const sinceMs = lease ? lease.untilMs - call.forMs! : 0;
        return lease?.fence === call.fence &&
          sinceMs >= call.startMs - SLACK_MS &&
          sinceMs <= call.endMs + SLACK_MS;
      });
    case "step":
      return fit(({ steps }) => {
        const step = steps.get(call.step!);
        const own = step?.startsWith(`${call.fence}|`) ?? false;
        return step?.slice(step.indexOf("|") + 1) === answer.data &&
          own === answer.recorded;
      });
    case "steps":
      return fit(({ steps }) =>
        steps.size === answer.steps.size &&
        [...answer.steps].every(([name, data]) =>
          steps.get(name)?.replace(/^\d+\|/, "") === data
        )
      );
    default:
      return undefined;
  }
}

/** An owner's keys, and the places at which any of them changed. */
export interface Owner {
  readonly keys: readonly string[];
  readonly changes: readonly number[];
}

/** Owners by the prefix of their keys. */
export type Owners = ReadonlyMap<string, Owner>;

/** Sorts the keys of a truth by owner. */
export function ownersOf(truth: Truth): Owners {
  const owners = new Map<string, { keys: string[]; changes: number[] }>();
  for (const [key, states] of truth.records) {
    const prefix = prefixOf(key);
    const owner = owners.get(prefix) ?? { keys: [], changes: [] };
    owners.set(prefix, owner);
    owner.keys.push(key);
    for (const { at, isWrite } of states) if (isWrite) owner.changes.push(at);
  }
  for (const { changes } of owners.values()) changes.sort((a, b) => a - b);
  return owners;
}

/** The prefix of the owner of a key. */
export function prefixOf(key: string): string {
  return key.slice(0, key.indexOf(":") + 1);
}

/** How many live, or active, records an owner has for sure. */
export function countAt(
  { keys }: Owner,
  at: number,
  truth: Truth,
  unit: string,
  aliveMs: number,
): number {
  let count = 0;
  for (const key of keys) {
    const { version, active, expiresAt } = stateAt(truth.records.get(key), at);
    const counts = version > 0 && (unit !== "active" || active) &&
      (expiresAt === undefined || expiresAt > aliveMs);
    if (counts) count++;
  }
  return count;
}

function capacityFit(
  call: Call,
  unit: string,
  { lo, hi }: Window,
  truth: Truth,
  owners: Owners,
): number | "never" | undefined {
  const limit = unit === "active" ? call.maxActive : call.maxRecords;
  const owner = owners.get(prefixOf(call.key));
  if (limit === undefined || owner === undefined) return "never";
  const aliveMs = call.startMs - SLACK_MS;
  const { changes } = owner;
  const first = changes.findIndex((at) => at > lo);
  for (
    const at of [lo, ...(first < 0 ? [] : changes.slice(first, first + 10_000))]
  ) {
    if (at > hi) break;
    if (countAt(owner, at, truth, unit, aliveMs) >= limit) return at;
  }
  return "never";
}

/**
 * Each record of a list was there at some time of the call, and what was there
 * all along is in the list: a list is read in two steps, not at one time.
 */
function listFit(
  call: Call,
  records: readonly SeenRecord[],
  window: Window,
  truth: Truth,
  owners: Owners,
): number | "never" {
  const listed = new Set<string>();
  for (const record of records) {
    listed.add(record.key);
    const states = truth.records.get(record.key);
    const at = firstFit(states, window, (state) => shows(state, record, call));
    if (at === undefined) return "never";
  }
  for (const key of owners.get(call.key)?.keys ?? []) {
    if (listed.has(key)) continue;
    const states = truth.records.get(key);
    const missing = firstFit(states, window, (state) => isAbsent(state, call));
    if (missing === undefined) return "never";
  }
  // It was true piece by piece: later calls know no more than the start.
  return window.lo;
}

function shows(state: State, record: SeenRecord, call: Call): boolean {
  const { lease } = state;
  return state.version === record.version && state.id === record.etag &&
    state.token === record.token && isPresent(state, call) &&
    lease?.fence === record.lease?.fence &&
    lease?.holder === record.lease?.holder;
}

function isAt(state: State, actual: number, call: Call): boolean {
  return actual === 0
    ? isAbsent(state, call)
    : state.version === actual && isPresent(state, call);
}

function conflicts(state: State, call: Call): boolean {
  const { expected } = call;
  if (expected === undefined) return isPresent(state, call);
  return isAbsent(state, call) || expected.version !== state.version ||
    (expected.etag !== "" && expected.etag !== state.id);
}

function holds({ lease }: State, call: Call): boolean {
  return lease?.fence === call.fence &&
    lease!.untilMs > call.endMs + SLACK_MS;
}

/** Whether there may have been no live record at some time of the call. */
function isAbsent({ version, expiresAt }: State, { endMs }: Call): boolean {
  return version === 0 ||
    (expiresAt !== undefined && expiresAt <= endMs + SLACK_MS);
}

/** Whether there may have been a live record at some time of the call. */
function isPresent({ version, expiresAt }: State, { startMs }: Call): boolean {
  return version > 0 &&
    (expiresAt === undefined || expiresAt > startMs - SLACK_MS);
}
