/** The border of changes: what a caller gives as an update is checked here. */

import type { TaskUpdate } from "./options.ts";
import { isPlainObject, isThenable, kindOf } from "./value_kind.ts";

/**
 * Refuses what is no update: read for its fields, a promise or a number would
 * be an update of nothing, and be written.
 *
 * @param subject What it is, with its verb, such as `update is`.
 * @throws {TypeError} If it is none.
 */
export function checkUpdate(subject: string, update: unknown): TaskUpdate {
  if (isThenable(update)) {
    // Nothing awaits it any more: its rejection would end the process.
    Promise.resolve(update).catch(() => {});
  } else if (isPlainObject(update)) return update;
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
