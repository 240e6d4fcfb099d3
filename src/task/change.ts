/**
 * Changes of a record: pure functions, which know the states and the policy of
 * a store, and nothing of where records are kept.
 */

import { isoTime, parseTime } from "../util/time.ts";
import { InvalidTransitionError } from "./errors.ts";
import { toJsonValue } from "./json_value.ts";
import { LeaseLostError } from "./lease_errors.ts";
import type { TaskLimits } from "./limits.ts";
import type { TaskUpdate } from "./options.ts";
import type { JsonRpcError, Task, TaskRecord } from "./record.ts";
import { canTransition, isFinalStatus, type TaskStatus } from "./status.ts";
import { mergeVariables } from "./variables.ts";

/** Clients are shown it; who was lost is for operators, in `lostLease`. */
const WORKER_LOST = "worker lost: it has not renewed its lease in time";

/** The part of a store's policy that concerns changes. */
export interface ChangePolicy {
  readonly limits: Required<TaskLimits>;
  readonly retention: "creation" | "completion";
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/**
 * Returns the record with an update.
 *
 * @throws {InvalidTransitionError} If its state does not allow it.
 * @throws {LeaseLostError} If the update is a worker's whose lease has ended.
 * @throws {TaskLimitError} If its variables would be over a limit.
 */
export function applyUpdate(
  policy: ChangePolicy,
  record: TaskRecord,
  update: TaskUpdate,
  now: number,
): TaskRecord {
  const { fence, statusMessage, inputRequests } = update;
  const status = update.status ?? record.task.status;
  requireChangeable(record, status, update.status);
  if (fence !== undefined && record.lease?.fence !== fence) {
    throw new LeaseLostError(record.task.taskId, status, {
      from: record.task.status,
    });
  }
  const task: Mutable<Task> = {
    ...record.task,
    status,
    lastUpdatedAt: isoTime(now),
  };
  if (statusMessage === null) delete task.statusMessage;
  else if (statusMessage !== undefined) task.statusMessage = statusMessage;
  const changed: Mutable<TaskRecord> = { ...record, task };
  if (update.result !== undefined) {
    changed.result = toJsonValue(update.result) ?? null;
  }
  if (update.error !== undefined) {
    changed.error = toJsonValue(update.error) as JsonRpcError;
  }
  if (update.variables !== undefined) {
    changed.variables = mergeVariables(
      policy.limits,
      record.variables,
      update.variables,
    );
  }
  if (update.inputResponses === null) delete changed.inputResponses;
  else if (update.inputResponses !== undefined) {
    changed.inputResponses = toJsonValue(update.inputResponses) as InputMap;
  }
  // What is asked of the client is there only while the task waits for it.
  if (inputRequests === null || status !== "input_required") {
    delete changed.inputRequests;
  } else if (inputRequests !== undefined) {
    changed.inputRequests = toJsonValue(inputRequests) as InputMap;
  }
  return retain(policy, changed, now);
}

type InputMap = Readonly<Record<string, unknown>>;

/** Returns the record with an end that long from now. */
export function extendTtl(
  policy: ChangePolicy,
  record: TaskRecord,
  ttlMs: number,
  now: number,
): TaskRecord {
  const changed = applyUpdate(policy, record, {}, now);
  const expiresAt = now + ttlMs;
  const ttl = expiresAt - parseTime(record.task.createdAt);
  return {
    ...changed,
    task: { ...changed.task, ttl },
    expiresAt: isoTime(expiresAt),
  };
}

/** Returns the record of a task whose worker is lost, as failed. */
export function failForLostWorker(
  policy: ChangePolicy,
  record: TaskRecord,
  holder: string,
  now: number,
): TaskRecord {
  const time = isoTime(now);
  return retain(policy, {
    ...record,
    task: {
      ...record.task,
      status: "failed",
      statusMessage: WORKER_LOST,
      lastUpdatedAt: time,
    },
    error: { code: -32603, message: WORKER_LOST },
    lostLease: { holder, lostAt: time },
  }, now);
}

/**
 * Ends the lease of a record in a final state, and drops what was asked of its
 * client and answered: no one waits for it, and an answer may be a secret, not
 * to be kept for as long as the result. Its TTL may restart.
 */
function retain(
  { retention, limits }: ChangePolicy,
  record: TaskRecord,
  now: number,
): TaskRecord {
  if (!isFinalStatus(record.task.status)) return record;
  const { lease: _, inputRequests: __, inputResponses: ___, ...kept } = record;
  const { ttl } = record.task;
  if (retention === "creation" || ttl === null) return kept;
  // A task that was touched may have a TTL beyond what one may ask for.
  return { ...kept, expiresAt: isoTime(now + Math.min(ttl, limits.maxTtlMs)) };
}

/**
 * Refuses a change of a final task, or a move the machine does not know.
 *
 * @throws {InvalidTransitionError} If the state does not allow it.
 * @throws {LeaseLostError} If the task has failed for a lost worker.
 */
export function requireChangeable(
  { task: { taskId, status }, lostLease }: TaskRecord,
  to: TaskStatus,
  move?: TaskStatus,
): void {
  const allowed = move === undefined
    ? !isFinalStatus(status)
    : canTransition(status, move);
  if (allowed) return;
  if (status === "failed" && lostLease !== undefined) {
    throw new LeaseLostError(taskId, to, lostLease);
  }
  throw new InvalidTransitionError(taskId, status, to);
}
