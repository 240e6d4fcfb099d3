/** What a check found, and how it is printed. */

import { type Call, describe, isWeak } from "./calls.ts";
import type { QueueEvent, State } from "./states.ts";

/** The kinds of violations. */
export const VIOLATIONS = [
  "acknowledged write is missing",
  "refused write is present",
  "write was applied twice",
  "write was applied after its answer",
  "write of no call",
  "write differs from its call",
  "condition of the write was not met",
  "version does not follow",
  "wrong answer of a write",
  "record vanished",
  "answer is true at no time of the call",
  "index differs from its hash",
  "quota is exceeded",
  "fences do not grow",
  "two holders of a lease",
  "lease renewed after its end",
  "lease differs from its call",
  "step recorded twice or without the lease",
  "message stored twice",
  "message delivered twice",
  "message lost",
  "message out of nowhere",
  "task change applied twice",
  "task answer differs from its writes",
  "error no caller expects",
] as const;

/** A kind of violation. */
export type ViolationKind = typeof VIOLATIONS[number];

/** One violation. */
export interface Violation {
  readonly kind: ViolationKind;
  readonly key: string;
  readonly detail: string;
  /** Whether what was asked could not be decided: see `isWeak`. */
  readonly weak: boolean;
  readonly call?: Call | undefined;
  /** Place in the history, where there is one. */
  readonly at?: number | undefined;
}

/** What a check found. */
export interface Findings {
  readonly violations: Violation[];
  /** Acknowledged without replicas and lost in a failover. */
  lostInFailover: number;
  /** Answers out of a history that a failover has ended. */
  fromLostHistory: number;
}

/** Nothing found yet. */
export function noFindings(): Findings {
  return { violations: [], lostInFailover: 0, fromLostHistory: 0 };
}

/** Adds a violation. */
export function report(
  { violations }: Findings,
  kind: ViolationKind,
  key: string,
  detail: string,
  call?: Call,
  at?: number,
): void {
  const weak = call !== undefined && isWeak(call);
  violations.push({ kind, key, detail, weak, call, at });
}

/** Lines of a trace on each side of what it is about. */
const BEFORE = 4;
const AFTER = 10;

/** A violation in a few lines, with what happened to its key around it. */
export function trace(
  { kind, key, detail, call, at = 0, weak }: Violation,
  calls: readonly Call[],
  states: readonly State[],
  events: readonly QueueEvent[],
): string {
  const changes = [
    ...states.map(({ at, version, id, token }) => ({
      at,
      what: `${
        version === 0 ? "absent" : `version ${version}`
      } ${id} ~${token}~`,
    })),
    ...events.map(({ at, kind, messages, length }) => ({
      at,
      what: `${kind} ${messages.join(" ")}, ${length} left`,
    })),
  ];
  const near = changes.findIndex((change) => change.at >= at);
  const middle = near < 0 ? changes.length : near;
  const atKey = calls.filter((other) => other !== call && other.key === key);
  const beside = call === undefined
    // Without a call of its own: those that were told no more than an outcome.
    ? atKey.filter(({ answer }) =>
      answer === undefined || answer.is === "failed"
    )
    : atKey.filter(({ start, end }) => start < call.end && end > call.start);
  return [
    `${weak ? "(undecidable) " : ""}${kind}: ${key}: ${detail}`,
    ...(call ? [`  ${describe(call)}`] : []),
    ...changes.slice(Math.max(0, middle - BEFORE), middle + AFTER)
      .map(({ at, what }) => `    @${at}: ${what}`),
    ...beside.slice(0, 12).map((other) => `    beside: ${describe(other)}`),
  ].join("\n");
}
