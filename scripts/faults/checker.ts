/**
 * The checker: demands one history of every key that explains every answer.
 * `scripts/faults.ts` and the checker's own tests call it.
 */

import {
  type Call,
  isSuccess,
  isUnknown,
  QUEUE_OPERATIONS,
  RECORD_WRITES,
} from "./calls.ts";
import { checkLeases } from "./check_leases.ts";
import {
  checkQueues,
  type Messages,
  messagesOf,
  queueFit,
  queuePoint,
  undoneBy,
} from "./check_queues.ts";
import {
  countAt,
  fitOf,
  type Owners,
  ownersOf,
  prefixOf,
} from "./check_reads.ts";
import {
  checkAnswers,
  checkWrites,
  SLACK_MS,
  type Write,
  writesOf,
} from "./check_records.ts";
import { type Findings, noFindings, report } from "./report.ts";
import type { Truth } from "./states.ts";
import { sweep, type Window } from "./windows.ts";

/** A history that a failover has ended. */
export interface LostTruth {
  readonly truth: Truth;
  /** How many of its transactions have survived. */
  readonly common: number;
  /** Whether replicas may have confirmed what it lost. Default: `false`. */
  readonly losesConfirmed?: boolean;
}

/** Options of {@linkcode check}. */
export interface CheckOptions {
  /** Histories that failovers have ended. Default: none. */
  readonly lost?: readonly LostTruth[];
  /**
   * Whether the truth has all keys in one order; otherwise those of each key
   * alone. Default: `true`.
   */
  readonly isOneClock?: boolean;
  /** When two masters may have answered, in epoch milliseconds. */
  readonly failovers?: readonly { fromMs: number; toMs: number }[];
}

/** Checks all calls of a run against its truth. */
export function check(
  calls: readonly Call[],
  truth: Truth,
  { lost = [], isOneClock = true, failovers = [] }: CheckOptions = {},
): Findings {
  const findings = noFindings();
  for (const { at, key, problem } of truth.problems) {
    const kind = "index differs from its hash";
    report(findings, kind, key, problem, undefined, at);
  }
  const byId = new Map<string, Call>();
  for (const call of calls) {
    if (call.id !== "") byId.set(call.id, call);
    if (call.answer?.is === "broken") {
      const { message } = call.answer;
      report(findings, "error no caller expects", call.key, message, call);
    }
  }
  const writes = writesOf(truth);
  const lostWrites = new Map<string, boolean>();
  for (const { truth, losesConfirmed = false } of lost) {
    for (const id of writesOf(truth).keys()) {
      lostWrites.set(id, losesConfirmed || (lostWrites.get(id) ?? false));
    }
  }
  checkWrites(truth, byId, findings);
  checkAnswers(calls, writes, lostWrites, findings);
  checkLeases(truth, calls, byId, findings);
  checkTasks(calls, writes, findings);
  const timed = calls.filter(({ operation }) => operation !== "task");
  const context: Context = {
    truth,
    owners: ownersOf(truth),
    writes,
    lost: lost.map((old) => ({ ...old, owners: ownersOf(old.truth) })),
    isDuringFailover: ({ startMs, endMs }) =>
      failovers.some(({ fromMs, toMs }) => startMs <= toMs && endMs >= fromMs),
    messages: messagesOf(truth),
    isUndone: undoneBy(
      lost.map(({ truth, common }) => messagesOf(truth, common)),
    ),
    findings,
  };
  const groups = isOneClock
    ? [timed]
    : Map.groupBy(timed, ({ key }) => key).values();
  const windows = new Map<Call, Window>();
  for (const group of groups) checkTimes(group, context, windows);
  const { messages, isUndone } = context;
  checkQueues(timed, truth, messages, isUndone, windows, findings);
  return findings;
}

interface Context {
  readonly truth: Truth;
  readonly owners: Owners;
  readonly writes: ReadonlyMap<string, readonly Write[]>;
  readonly lost: readonly (LostTruth & { readonly owners: Owners })[];
  readonly isDuringFailover: (call: Call) => boolean;
  readonly messages: Messages;
  readonly isUndone: (message: string) => boolean;
  readonly findings: Findings;
}

/** Checks every answer against what its caller could know. */
function checkTimes(
  calls: readonly Call[],
  context: Context,
  windows: Map<Call, Window>,
): void {
  const { truth, owners, writes, lost, findings } = context;
  const pointOf = (call: Call): number | undefined => {
    if (RECORD_WRITES.has(call.operation)) {
      return writes.get(call.id)?.[0]?.state.at;
    }
    return QUEUE_OPERATIONS.has(call.operation)
      ? queuePoint(call, context.messages, context.isUndone)
      : undefined;
  };
  sweep(calls, pointOf, (call, window) => {
    windows.set(call, window);
    const point = pointOf(call);
    if (point !== undefined) {
      checkPoint(call, point, window, findings);
      checkQuota(call, point, truth, owners, findings);
      return isUnknown(call) ? undefined : point;
    }
    const fit = fitOf(call, window, truth, owners) ??
      queueFit(call, window, truth);
    if (fit !== "never") return fit;
    const isTrueIn = (truth: Truth, owners: Owners, window: Window) =>
      (fitOf(call, window, truth, owners) ?? queueFit(call, window, truth)) !==
        "never";
    // A master that has a successor answers until it knows.
    const inLost = lost.some(({ truth, owners, common }) =>
      isTrueIn(truth, owners, { lo: common - 1, hi: Infinity })
    ) || (context.isDuringFailover(call) &&
      isTrueIn(truth, owners, { lo: -1, hi: window.hi }));
    if (inLost) {
      findings.fromLostHistory++;
    } else {
      const detail = `between @${window.lo} and @${window.hi}`;
      const kind = "answer is true at no time of the call";
      report(findings, kind, call.key, detail, call, window.lo);
    }
    return undefined;
  });
}

function checkPoint(
  call: Call,
  point: number,
  { hi }: Window,
  findings: Findings,
): void {
  // What is unknown may still happen. One that came before its call would be
  // after that of an earlier one.
  if (point > hi && !isUnknown(call)) {
    const kind = "write was applied after its answer";
    const detail = `@${point}, known by @${hi}`;
    report(findings, kind, call.key, detail, call, point);
  }
}

function checkQuota(
  call: Call,
  point: number,
  truth: Truth,
  owners: Owners,
  findings: Findings,
): void {
  const { operation, maxRecords, maxActive, active, key } = call;
  if (operation !== "create" && operation !== "create leased") return;
  const owner = owners.get(prefixOf(key))!;
  const limits = [
    ["records", maxRecords],
    ["active", active ? maxActive : undefined],
  ] as const;
  for (const [unit, limit] of limits) {
    if (limit === undefined) continue;
    const count = countAt(owner, point, truth, unit, call.endMs + SLACK_MS);
    if (count > limit) {
      const detail = `${count} ${unit} of at most ${limit}`;
      report(findings, "quota is exceeded", key, detail, call, point);
    }
  }
}

/** Checks that a task operation changed its task exactly as it says. */
function checkTasks(
  calls: readonly Call[],
  writes: ReadonlyMap<string, readonly Write[]>,
  findings: Findings,
): void {
  const parts = new Map<Call, Call[]>();
  for (const call of calls) {
    const { parent } = call;
    if (parent === undefined || !RECORD_WRITES.has(call.operation)) continue;
    // Of its writes only those of the change itself, not of a lost worker.
    const isChange = call.operation === "delete" || call.token === parent.token;
    if (isChange) {
      const found = parts.get(parent);
      if (found) found.push(call);
      else parts.set(parent, [call]);
    }
  }
  for (const call of calls) {
    if (call.operation !== "task") continue;
    const applied = (parts.get(call) ?? [])
      .filter(({ id }) => writes.has(id));
    const ids = applied.map(({ id }) => id).join(", ");
    if (applied.length > 1) {
      report(findings, "task change applied twice", call.key, ids, call);
    }
    const kind = "task answer differs from its writes";
    const refused = !isSuccess(call) && !isUnknown(call);
    if (refused && applied.length > 0) {
      report(findings, kind, call.key, `applied ${ids}`, call);
    }
    // A change that nothing acknowledged; what was lost is reported elsewhere.
    const isDone = call.name !== "modify" || !isSuccess(call) ||
      (parts.get(call) ?? []).some(isSuccess);
    if (!isDone) report(findings, kind, call.key, "nothing was written", call);
  }
}
