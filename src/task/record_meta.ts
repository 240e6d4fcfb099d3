/** The facts of a task's record that a backend needs besides its text. */

import { parseTime } from "../util/time.ts";
import { InvalidKeyError } from "../storage/errors.ts";
import { makeKey } from "../storage/keys.ts";
import type { RecordMeta } from "../storage/record.ts";
import { placeOf } from "./creation_order.ts";
import type { TaskRecord } from "./record.ts";
import { isFinalStatus } from "./status.ts";

/** Makes the key; `undefined` where no task can be: such an id was never given. */
export function keyOf(owner: string, taskId: string): string | undefined {
  try {
    return makeKey(owner, taskId);
  } catch (error) {
    if (error instanceof InvalidKeyError) return undefined;
    throw error;
  }
}

/** Returns the end of a record, its place in lists, and whether it is active. */
export function metaOf(record: TaskRecord): RecordMeta {
  const { expiresAt, task } = record;
  return {
    createdAt: placeOf(record),
    expiresAt: expiresAt === null ? undefined : parseTime(expiresAt),
    active: !isFinalStatus(task.status),
  };
}
