/** The times of a record as its text has them, for writes without `meta`. */

import { parseTime } from "../util/time.ts";
import { InvalidDataError } from "./errors.ts";
import type { RecordMeta } from "./record.ts";

/** Reads the times of a record from its text, where that is JSON. */
export function metaOfData(key: string, data: string): RecordMeta {
  const record = parseObject(data);
  const task = record?.task;
  return {
    expiresAt: timeOf(key, "expiresAt", record?.expiresAt),
    createdAt: timeOf(
      key,
      "task.createdAt",
      isObject(task) ? task.createdAt : undefined,
    ),
  };
}

function parseObject(data: string): Record<string, unknown> | undefined {
  if (!/^\s*\{/.test(data)) return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** A damaged time is refused: read as "none", the record would never end. */
function timeOf(
  key: string,
  field: string,
  value: unknown,
): number | undefined {
  if (value === undefined || value === null) return undefined;
  const time = typeof value === "string" ? parseTime(value) : NaN;
  if (Number.isNaN(time)) {
    throw new InvalidDataError(
      key,
      `${field} is ${JSON.stringify(value)}: expected an RFC 3339 time or null`,
    );
  }
  return time;
}
