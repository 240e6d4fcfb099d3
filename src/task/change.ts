/**
 * What a write makes of a record: pure functions, which know the states and
 * the policy of a store, and nothing of where records are kept.
 */

import { MAX_TIMER_MS, requireInteger } from "../storage/checks.ts";
import {
  InvalidTransitionError,
  LeaseHeldError,
  LeaseLostError,
} from "./errors.ts";
import { mergeVariables, type TaskLimits } from "./limits.ts";
import type { LeaseOptions, TaskUpdate } from "./options.ts";
import type { TaskLease, TaskRecord } from "./record.ts";
import { canTransition, isFinalStatus, type TaskStatus } from "./status.ts";

/** What of a store's policy concerns changes. */
export interface ChangePolicy {
  readonly limits: Required<TaskLimits>;
  readonly retention: "creation" | "completion";
}

/**
 * The record with an update.
 *
 * @throws {InvalidTransitionError} If its state does not allow it.
 * @throws {TaskLimitError} If its variables would be over a limit.
 */
export function applyUpdate(
  policy: ChangePolicy,
  record: TaskRecord,
  update: TaskUpdate,
  now: number,
): TaskRecord {
  const { task } = record;
  const status = update.status ?? task.status;
  requireChangeable(record, status, update.status);
  const { statusMessage: oldMessage, ...rest } = task;
  const statusMessage = update.statusMessage === undefined
    ? oldMessage
    : update.statusMessage;
  const inputRequests = update.inputRequests === undefined
    ? record.inputRequests
    : update.inputRequests ?? undefined;
  const changed: TaskRecord = {
    ...record,
    task: {
      ...rest,
      status,
      ...(statusMessage == null ? {} : { statusMessage }),
      lastUpdatedAt: isoTime(now),
    },
    ...(update.result === undefined ? {} : { result: update.result }),
    ...(update.error ? { error: update.error } : {}),
    ...(update.variables
      ? {
        variables: mergeVariables(
          policy.limits,
          record.variables,
          update.variables,
        ),
      }
      : {}),
    ...(update.inputResponses ? { inputResponses: update.inputResponses } : {}),
  };
  return retain(policy, withInput(changed, inputRequests), now);
}

/** The record with an end that long from now. */
export function extendTtl(
  policy: ChangePolicy,
  record: TaskRecord,
  ttlMs: number,
  now: number,
): TaskRecord {
  const changed = applyUpdate(policy, record, {}, now);
  const expiresAt = now + ttlMs;
  const ttl = expiresAt - Date.parse(record.task.createdAt);
  return {
    ...changed,
    task: { ...changed.task, ttl },
    expiresAt: isoTime(expiresAt),
  };
}

/**
 * The record with a lease.
 *
 * @param renews Whether the holder must have it already.
 * @throws {LeaseHeldError} If another worker holds it.
 */
export function withLease(
  record: TaskRecord,
  options: LeaseOptions,
  renews: boolean,
  now: number,
): TaskRecord {
  requireChangeable(record, record.task.status, undefined);
  const current = record.lease?.holder;
  if (current !== options.holder && (renews || current !== undefined)) {
    throw new LeaseHeldError(record.task.taskId, current);
  }
  return { ...record, lease: leaseFrom(options, now) };
}

/** The lease asked for, checked. */
export function leaseFrom(
  { forMs, holder }: LeaseOptions,
  now: number,
): TaskLease {
  requireInteger("forMs", forMs, 1, MAX_TIMER_MS);
  if (typeof holder !== "string" || holder === "") {
    throw new TypeError("holder is empty: expected the worker's own name");
  }
  return { holder, expiresAt: isoTime(now + forMs) };
}

/** What changes with a final state: the lease ends, and the TTL may restart. */
export function retain(
  { retention, limits }: ChangePolicy,
  record: TaskRecord,
  now: number,
): TaskRecord {
  if (!isFinalStatus(record.task.status)) return record;
  const { lease, ...rest } = record;
  const kept = lease?.lostAt === undefined ? rest : record;
  const { ttl } = record.task;
  if (retention === "creation" || ttl === null) return kept;
  // A task that was touched may have a TTL beyond what one may ask for.
  return { ...kept, expiresAt: isoTime(now + Math.min(ttl, limits.maxTtlMs)) };
}

/** RFC 3339, with milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Refuses a change of a final task, or a move the machine does not know. */
function requireChangeable(
  record: TaskRecord,
  to: TaskStatus,
  move: TaskStatus | undefined,
): void {
  const { taskId, status } = record.task;
  const allowed = move === undefined
    ? !isFinalStatus(status)
    : canTransition(status, move);
  if (allowed) return;
  const { lease } = record;
  if (status === "failed" && lease?.lostAt !== undefined) {
    throw new LeaseLostError(taskId, to, lease.holder, lease.expiresAt);
  }
  throw new InvalidTransitionError(taskId, status, to);
}

/** What is asked of the client is there only while the task waits for it. */
function withInput(
  record: TaskRecord,
  inputRequests: Readonly<Record<string, unknown>> | undefined,
): TaskRecord {
  const { inputRequests: _, ...rest } = record;
  return inputRequests && rest.task.status === "input_required"
    ? { ...rest, inputRequests }
    : rest;
}
