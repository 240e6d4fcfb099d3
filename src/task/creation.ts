/** The record of a new task, as `TaskStore.create` makes it. */

import { requireInteger } from "../storage/checks.ts";
import { newOperationId } from "../storage/operation_id.ts";
import { isoTime } from "../util/time.ts";
import { nextCreatedOrder } from "./creation_order.ts";
import type { Fingerprints } from "./fingerprint.ts";
import { checkTtl, type TaskLimits } from "./limits.ts";
import { optional, requireText } from "./argument_checks.ts";
import type { CreateTaskOptions } from "./options.ts";
import type { TaskRecord } from "./record.ts";
import { mergeVariables } from "./variables.ts";

/** The part of a store's policy that concerns new tasks. */
export interface CreationPolicy {
  readonly limits: Required<TaskLimits>;
  /** The poll interval of a task that asks for none, in milliseconds. */
  readonly pollIntervalMs: number;
  readonly fingerprints: Fingerprints;
  /** The time, in epoch milliseconds. */
  readonly now: number;
}

/**
 * Makes the record of a task in state `working`, which is not stored yet.
 *
 * @throws {TaskLimitError} If the TTL or the variables are over a limit.
 */
export async function newTask(
  ownerId: string,
  requestMethod: string,
  options: CreateTaskOptions,
  policy: CreationPolicy,
): Promise<TaskRecord> {
  const { limits } = policy;
  const {
    taskId = crypto.randomUUID(),
    pollIntervalMs: pollInterval = policy.pollIntervalMs,
    statusMessage,
    request,
    variables = {},
  } = options;
  requireText("taskId", taskId);
  requireText("requestMethod", requestMethod);
  optional(requireText, "statusMessage", statusMessage);
  requireInteger("pollIntervalMs", pollInterval, 1);
  const ttl = checkTtl(limits, options.ttlMs);
  // Before anything is awaited: tasks keep the order of the calls.
  const now = Math.floor(policy.now);
  const createdOrder = nextCreatedOrder(now);
  const time = isoTime(now);
  const fingerprint = request === undefined
    ? undefined
    : await policy.fingerprints.of(ownerId, taskId, request);
  return {
    task: {
      taskId,
      status: "working",
      ...(statusMessage === undefined ? {} : { statusMessage }),
      createdAt: time,
      lastUpdatedAt: time,
      ttl,
      pollInterval,
    },
    ownerId,
    variables: mergeVariables(limits, {}, variables),
    result: null,
    requestMethod,
    expiresAt: ttl === null ? null : isoTime(now + ttl),
    ...(fingerprint ? { requestFingerprint: fingerprint } : {}),
    // Two ids of 66 random bits: it must never recur, on any server.
    runId: newOperationId() + newOperationId(),
    ...(createdOrder === 0 ? {} : { createdOrder }),
    version: 0,
    etag: "",
  };
}
