/**
 * The calls of `SdkTaskStore` to the `TaskStore` beneath it: reads and writes for
 * the owner of a call, with the errors its caller is shown.
 */

import { TaskNotFoundError } from "../../task/errors.ts";
import { ResourceExhaustedError } from "../../task/limit_errors.ts";
import { MAX_DURATION_MS } from "../../task/limits.ts";
import type { TaskRecord } from "../../task/record.ts";
import type { TaskStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { INTERNAL_ERROR, type OnError, report } from "../client_errors.ts";
import { isTaskId, requireTaskId } from "../task_id.ts";
import { shownError, toSdkError } from "./errors.ts";
import type { CallOwner } from "./owner.ts";
import { unstorablePart } from "./result_json.ts";
import type { SdkResult } from "./types.ts";

/** The parts of a store. */
export interface StoreParts {
  readonly tasks: TaskStore;
  readonly onError: OnError;
  readonly owner: CallOwner;
}

/** Reads the live record of a task, if the caller may see one. */
export async function findTask(
  { tasks, onError, owner }: StoreParts,
  taskId: string,
  sessionId: string | undefined,
): Promise<TaskRecord | undefined> {
  if (!isTaskId(taskId)) return undefined;
  try {
    const record = await tasks.get(taskId, await owner.ofReader(sessionId));
    owner.remember(record);
    return record;
  } catch (error) {
    if (error instanceof TaskNotFoundError) return undefined;
    throw shownError(onError, error);
  }
}

/** Writes to a task, for the owner its caller or this process knows. */
export async function writeTask(
  parts: StoreParts,
  taskId: string,
  sessionId: string | undefined,
  change: (owner: string, parts: StoreParts) => Promise<TaskRecord>,
  whenEnded: (status: TaskStatus) => string,
): Promise<void> {
  try {
    requireTaskId(taskId);
    const { owner } = parts;
    const ownerId = await owner.ofWriter(taskId, sessionId);
    owner.remember(await change(ownerId, parts));
  } catch (error) {
    throw shownError(parts.onError, toSdkError(taskId, error, whenEnded));
  }
}

/** Ends a task with its result, or with why that cannot be stored. */
export async function storeResult(
  { tasks, onError }: StoreParts,
  taskId: string,
  owner: string,
  status: "completed" | "failed",
  result: SdkResult,
): Promise<TaskRecord> {
  let problem = unstorablePart(result);
  let cause: unknown;
  if (problem === undefined) {
    try {
      return await tasks.update(taskId, owner, { status, result });
    } catch (error) {
      if (!(error instanceof ResourceExhaustedError)) throw error;
      problem = error.message;
      cause = error;
    }
  }
  // A tool that was thrown an error would store that as the result, in vain;
  // where it does not expect one, the process would end.
  const message = `the result could not be stored: ${problem}`;
  const error = { code: INTERNAL_ERROR, message };
  const failed = await tasks.fail(taskId, owner, error);
  report(onError, new TypeError(message, { cause }));
  return failed;
}

/** Returns the TTL to ask for; a store may override it, and the task says so. */
export function ttlFor(
  { limits: { maxTtlMs } }: TaskStore,
  ttl: number | null | undefined,
): number | null | undefined {
  if (ttl === null || ttl === Infinity) {
    return maxTtlMs === Infinity ? null : Math.min(maxTtlMs, MAX_DURATION_MS);
  }
  return isPositive(ttl)
    ? Math.min(Math.ceil(ttl), maxTtlMs, MAX_DURATION_MS)
    : undefined;
}

/** Whether a number was given that counts. */
export function isPositive(value: number | undefined): value is number {
  return value !== undefined && value > 0 && value !== Infinity;
}
