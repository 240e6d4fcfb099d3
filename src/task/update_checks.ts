/** The border of changes: what a caller gives as an update is checked here. */

import { checkFence } from "../storage/checks.ts";
import {
  optional,
  requireObject,
  requireStatus,
  requireText,
} from "./argument_checks.ts";
import type { TaskUpdate } from "./options.ts";
import { isPlainObject, isThenable, kindOf } from "./value_kind.ts";
import { requireVariables } from "./variables.ts";

/**
 * Refuses what is no update: read for its fields, a promise or a number would
 * be an update of nothing, and be written.
 *
 * @param subject What it is, with its verb, such as `update is`.
 * @returns A copy: its fields stay what they are until they are written.
 * @throws {TypeError} If it is none, or a field has another type.
 */
export function checkUpdate(subject: string, update: unknown): TaskUpdate {
  if (isThenable(update)) {
    // Nothing awaits it any more: its rejection would end the process.
    Promise.resolve(update).catch(() => {});
  } else if (isPlainObject(update)) return checkFields({ ...update });
  throw new TypeError(
    `${subject} ${kindOf(update)}: expected an object of changes`,
  );
}

/** Calls a caller's function, which is not awaited; `undefined`: no change. */
export function updateOf<T>(
  change: (record: T) => TaskUpdate | undefined,
  record: T,
): TaskUpdate | undefined {
  const update = change(record);
  return update === undefined
    ? undefined
    : checkUpdate("change() returned", update);
}

/** The writing checks what is inside of them. */
function checkFields(update: TaskUpdate): TaskUpdate {
  const { status, statusMessage, error, variables, fence } = update;
  const { inputRequests, inputResponses } = update;
  optional(requireStatus, "status", status);
  optional(requireText, "statusMessage", statusMessage ?? undefined);
  optional(requireObject, "error", error);
  optional(requireObject, "inputRequests", inputRequests ?? undefined);
  optional(requireObject, "inputResponses", inputResponses ?? undefined);
  if (variables !== undefined) requireVariables(variables);
  if (fence !== undefined) checkFence(fence);
  return update;
}
