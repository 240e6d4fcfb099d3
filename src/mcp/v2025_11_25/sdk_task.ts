/** Task records in the shapes of MCP 2025-11-25. */

import type { Task, TaskRecord } from "../../task/record.ts";
import { TaskFailedError } from "./errors.ts";
import type { SdkResult } from "./types.ts";

/** Returns what MCP 2025-11-25 names of a task, and nothing else. */
export function toSdkTask({ task }: TaskRecord): Task {
  const { statusMessage, pollInterval } = task;
  return {
    taskId: task.taskId,
    status: task.status,
    ttl: task.ttl,
    createdAt: task.createdAt,
    lastUpdatedAt: task.lastUpdatedAt,
    // Other writers put null where a field is left out; the SDK refuses that.
    ...(pollInterval == null ? {} : { pollInterval }),
    ...(statusMessage == null ? {} : { statusMessage }),
  };
}

/**
 * Returns the result a task answers `tasks/result` with.
 *
 * @throws {TaskFailedError} If it failed with a JSON-RPC error.
 * @throws {Error} `Task … has no result stored`.
 */
export function toSdkResult({ task, result, error }: TaskRecord): SdkResult {
  if (result !== null) return result as SdkResult;
  if (error) throw new TaskFailedError(error);
  if (task.status !== "cancelled") {
    throw new Error(`Task ${task.taskId} has no result stored`);
  }
  // Without a result the client would be told that the server is broken.
  const text = task.statusMessage ?? "The task was cancelled.";
  return { content: [{ type: "text", text }], isError: true };
}
