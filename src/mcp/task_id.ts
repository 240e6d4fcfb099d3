/** Task ids as clients send them: bounded, and shown on one line. */

import { TaskNotFoundError } from "../task/errors.ts";
import { isWellFormed } from "../util/well_formed.ts";

/** The longest task id that is looked up, in characters; a random one has 36. */
const MAX_TASK_ID_LENGTH = 1024;

/**
 * Whether a client's text can name a task. What cannot is not found without
 * the storage, where it would be a part of a key.
 */
export function isTaskId(taskId: unknown): taskId is string {
  return typeof taskId === "string" && taskId !== "" &&
    taskId.length <= MAX_TASK_ID_LENGTH && isWellFormed(taskId);
}

/**
 * Throws unless a client's text can name a task.
 *
 * @throws {TaskNotFoundError} With no more of the text than fits a line.
 */
export function requireTaskId(taskId: string): void {
  if (isTaskId(taskId)) return;
  throw new TaskNotFoundError(taskId);
}
