/**
 * The border: every argument of a backend is checked here, once, before
 * anything is sent, so that all backends refuse the same things alike.
 */

import type {
  CreateOptions,
  ListPageOptions,
  PageOrder,
  RecordMeta,
} from "./backend.ts";
import { decodeCursor, type Position } from "./cursor.ts";
import { CapacityExceededError, InvalidDataError } from "./errors.ts";

/** The default of `maxRecordBytes`: 8 MiB. */
export const DEFAULT_MAX_RECORD_BYTES: number = 8 * 1024 * 1024;

/** The most records a page may have. */
export const MAX_PAGE_LIMIT = 1000;

/** The longest time a timer can wait: 32 bits of milliseconds. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/** The last moment a `Date` can name, in epoch milliseconds. */
const MAX_TIME_MS = 8.64e15;

/** Data as it may be written: text, representable in UTF-8, not too large. */
export function checkData(key: string, data: string, maxBytes: number): void {
  if (typeof data !== "string") {
    throw new TypeError(`data is a ${typeof data}: expected a string`);
  }
  const bytes = utf8Length(data, maxBytes);
  if (bytes > maxBytes) {
    throw new CapacityExceededError(key, "bytes", maxBytes, bytes);
  }
  if (/\p{Surrogate}/u.test(data)) {
    throw new InvalidDataError(
      key,
      "data has a lone surrogate, which UTF-8 cannot represent",
    );
  }
}

/** The expiry and creation time of a record, given or read from its data. */
export function checkMeta(
  key: string,
  data: string,
  meta: RecordMeta | undefined,
): RecordMeta {
  const { expiresAt, createdAt } = meta ?? metaOfData(key, data);
  requireTime(key, "expiresAt", expiresAt);
  requireTime(key, "createdAt", createdAt);
  return { expiresAt, createdAt };
}

/** The options of a `create`. */
export function checkCreate(options: CreateOptions): number | undefined {
  const { maxRecords } = options;
  if (maxRecords !== undefined) requireInteger("maxRecords", maxRecords, 0);
  return maxRecords;
}

/** The version a `putIfVersion` expects. */
export function checkVersion(expected: number): void {
  requireInteger("expected version", expected, 1);
}

/** The options of a page, with their defaults. */
export function checkPage(
  { cursor, limit = 50, order = "newest" }: ListPageOptions,
): { limit: number; order: PageOrder; after: Position | undefined } {
  requireInteger("limit", limit, 1, MAX_PAGE_LIMIT);
  if (order !== "newest" && order !== "oldest") {
    throw new RangeError(
      `order is ${JSON.stringify(order)}: expected "newest" or "oldest"`,
    );
  }
  return {
    limit,
    order,
    after: cursor === undefined ? undefined : decodeCursor(order, cursor),
  };
}

/** Throws unless the value is an integer of the range. */
export function requireInteger(
  name: string,
  value: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): void {
  if (typeof value !== "number") {
    throw new TypeError(`${name} is a ${typeof value}: expected a number`);
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(
      `${name} is ${value}: expected an integer from ${min} to ${max}`,
    );
  }
}

/** The length of text in UTF-8; exact only where it decides about the limit. */
function utf8Length(text: string, limit: number): number {
  if (text.length * 3 <= limit) return text.length;
  return utf8Bytes(text);
}

/** The length of text in UTF-8. */
export function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

function requireTime(
  key: string,
  name: keyof RecordMeta,
  value: number | undefined,
): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || value < 0 || value > MAX_TIME_MS) {
    throw new InvalidDataError(
      key,
      `${name} is ${value}: expected epoch milliseconds, an integer from 0 to ${MAX_TIME_MS}`,
    );
  }
}

function metaOfData(key: string, data: string): RecordMeta {
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
