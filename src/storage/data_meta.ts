/** The times of a record as its text has them, for writes without `meta`. */

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

/** Reads an RFC 3339 time; `NaN` if it is none. */
export function parseTime(text: string): number {
  const rfc3339 =
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
  return rfc3339.test(text)
    ? Date.parse(text.toUpperCase().replace(" ", "T"))
    : NaN;
}
