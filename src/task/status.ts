/** The states of a task and the moves between them. */

/** The state of a task, as MCP names it. */
export type TaskStatus =
  | "working"
  | "input_required"
  | "completed"
  | "failed"
  | "cancelled";

/** A state that no task leaves. */
export type FinalTaskStatus = "completed" | "failed" | "cancelled";

/** Every state, in the order a task may pass them. */
export const TASK_STATUSES: readonly TaskStatus[] = [
  "working",
  "input_required",
  "completed",
  "failed",
  "cancelled",
];

/**
 * Whether a state is final: `completed`, `failed` or `cancelled`.
 *
 * @example
 * ```ts
 * import { isFinalStatus } from "@mcp-tasks/redis";
 * import { assert } from "@std/assert";
 *
 * assert(isFinalStatus("cancelled") && !isFinalStatus("input_required"));
 * ```
 */
export function isFinalStatus(status: TaskStatus): status is FinalTaskStatus {
  return status !== "working" && status !== "input_required";
}

/**
 * Whether a task may move from one state to another: from a state that is not
 * final to any other. No state moves to itself.
 *
 * @example
 * ```ts
 * import { canTransition } from "@mcp-tasks/redis";
 * import { assert } from "@std/assert";
 *
 * assert(canTransition("input_required", "working"));
 * assert(!canTransition("completed", "working"));
 * ```
 */
export function canTransition(from: TaskStatus, to: TaskStatus): boolean {
  return !isFinalStatus(from) && from !== to;
}
