/**
 * The border: every argument of a backend is checked here, once, before
 * anything is sent, so that all backends refuse the same things alike.
 *
 * A check reads each option once and returns a copy. The copy is what is sent,
 * at every try: the caller may change its object meanwhile.
 */

import type {
  CreateOptions,
  DeleteOptions,
  ExpectedRecord,
  ListPageOptions,
  PageOrder,
  PutIfVersionOptions,
  RecordMeta,
  WriteOptions,
} from "./record.ts";
import { decodeCursor, type Position } from "./cursor.ts";
import { metaOfData } from "./data_meta.ts";
import { CapacityExceededError, InvalidDataError } from "./errors.ts";
import type { LeaseRequest } from "./leases.ts";
import { newOperationId } from "./operation_id.ts";
import { MAX_TIMER_MS } from "../util/wake_timer.ts";
import { isWellFormed } from "../util/well_formed.ts";

export { MAX_TIMER_MS } from "../util/wake_timer.ts";

/** The default of `maxRecordBytes`: 8 MiB. */
export const DEFAULT_MAX_RECORD_BYTES: number = 8 * 1024 * 1024;

/** The most records a page may have. */
export const MAX_PAGE_LIMIT = 1000;

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
  if (!isWellFormed(data)) {
    throw new InvalidDataError(
      key,
      "data has a lone surrogate, which UTF-8 cannot represent",
    );
  }
}

/** The checked options of a write, which it needs besides its text. */
export interface CheckedWrite {
  /** Epoch milliseconds; `undefined`: never. */
  readonly expiresAt: number | undefined;
  /** Epoch milliseconds; `undefined`: the place the record has. */
  readonly createdAt: number | undefined;
  readonly active: boolean;
  readonly operationId: string;
  /** Whether the caller named it: only then can it be tried again. */
  readonly isNamed: boolean;
}

/** The options of a write, times given or read from the data. */
export function checkWrite(
  key: string,
  data: string,
  meta: WriteOptions = {},
): CheckedWrite {
  const { active, operationId } = meta;
  const { expiresAt, createdAt } = hasMeta(meta) ? meta : metaOfData(key, data);
  requireTime(key, "expiresAt", expiresAt);
  requireTime(key, "createdAt", createdAt);
  if (active !== undefined && typeof active !== "boolean") {
    throw new TypeError(`active is a ${typeof active}: expected a boolean`);
  }
  return {
    expiresAt,
    createdAt,
    active: active ?? false,
    operationId: checkOperationId(operationId),
    isNamed: operationId !== undefined,
  };
}

function hasMeta(meta: RecordMeta): boolean {
  return "expiresAt" in meta || "createdAt" in meta || "active" in meta;
}

/** The name of a write: the caller's own, or a new one. */
export function checkOperationId(operationId: string | undefined): string {
  if (operationId === undefined) return newOperationId();
  if (!isOperationId(operationId)) {
    throw new RangeError(
      `operationId is ${
        JSON.stringify(operationId)
      }: expected 8 to 64 characters of A-Z, a-z, 0-9, _ and -`,
    );
  }
  return operationId;
}

function isOperationId(text: unknown): boolean {
  return typeof text === "string" && /^[A-Za-z0-9_-]{8,64}$/.test(text);
}

/** The quotas of a `create`, checked; `undefined`: none. */
export interface CheckedQuotas {
  readonly maxRecords: number | undefined;
  readonly maxActive: number | undefined;
}

/** Checks the quotas of a `create`. */
export function checkCreate(
  { maxRecords, maxActive }: CreateOptions,
): CheckedQuotas {
  if (maxRecords !== undefined) requireInteger("maxRecords", maxRecords, 0);
  if (maxActive !== undefined) requireInteger("maxActive", maxActive, 0);
  return { maxRecords, maxActive };
}

/** The record a conditional write expects, checked. */
export interface CheckedExpected {
  readonly version: number;
  /** Empty: any. */
  readonly etag: string;
  /** The caller's further knowledge of the record as it is. */
  readonly meta: RecordMeta | undefined;
}

/** Checks what a conditional write expects. */
export function checkExpected(expected: ExpectedRecord): CheckedExpected {
  const { version, etag = "", meta } = typeof expected === "object" &&
      expected !== null
    ? expected
    : { version: expected, meta: undefined };
  requireInteger("expected version", version, 1);
  if (meta !== undefined && (typeof meta !== "object" || meta === null)) {
    throw new TypeError(
      `expected meta is ${String(meta)}: expected an object`,
    );
  }
  if (etag !== "" && !isOperationId(etag)) {
    throw new RangeError(
      `expected etag is ${JSON.stringify(etag)}: expected one that was read`,
    );
  }
  return { version, etag, meta: meta && copyOfMeta(meta) };
}

function copyOfMeta({ expiresAt, createdAt, active }: RecordMeta): RecordMeta {
  return { expiresAt, createdAt, active };
}

/** Checks what a `putIfVersion` asks of a lease. */
export function checkFencing(
  { fence, releaseLease = false }: PutIfVersionOptions = {},
): { fence: number | undefined; releaseLease: boolean } {
  if (fence !== undefined) checkFence(fence);
  if (typeof releaseLease !== "boolean") {
    throw new TypeError(
      `releaseLease is a ${typeof releaseLease}: expected a boolean`,
    );
  }
  if (fence === undefined && releaseLease) {
    throw new TypeError("releaseLease without a fence: expected both");
  }
  return { fence, releaseLease };
}

/** The options of a `delete`. */
export function checkDelete({ expected, operationId }: DeleteOptions): {
  expected: CheckedExpected | undefined;
  operationId: string;
  isNamed: boolean;
} {
  return {
    expected: expected === undefined ? undefined : checkExpected(expected),
    operationId: checkOperationId(operationId),
    isNamed: operationId !== undefined,
  };
}

/** The fence of a lease. */
export function checkFence(fence: number): void {
  requireInteger("fence", fence, 1);
}

/** Checks the time a lease lasts, or a claim puts hints off. */
export function checkForMs(forMs: number): void {
  requireInteger("forMs", forMs, 1, MAX_TIMER_MS);
}

/** Checks the request for a lease. */
export function checkLease({ holder, forMs }: LeaseRequest): LeaseRequest {
  checkForMs(forMs);
  if (typeof holder !== "string" || holder === "" || !isWellFormed(holder)) {
    throw new TypeError(
      "holder is not a name: expected a non-empty string without lone surrogates",
    );
  }
  return { holder, forMs };
}

/** The longest name of a step, in bytes of UTF-8. */
const MAX_STEP_NAME_BYTES = 256;

/** The name of a step. */
export function checkStepName(name: string): void {
  if (typeof name !== "string" || !isWellFormed(name)) {
    throw new TypeError(`step name is a ${typeof name}: expected text`);
  }
  const bytes = utf8Bytes(name);
  if (bytes === 0 || bytes > MAX_STEP_NAME_BYTES) {
    throw new RangeError(
      `step name has ${bytes} bytes: expected 1 to ${MAX_STEP_NAME_BYTES}`,
    );
  }
}

/** The most hints one claim may take. */
export const MAX_CLAIM_LIMIT = 1000;

/** The name of a queue of hints. */
export function checkQueueName(queue: string): void {
  if (
    typeof queue !== "string" || queue === "" || !isWellFormed(queue) ||
    /[{}]/.test(queue)
  ) {
    throw new TypeError(
      `queue is ${
        JSON.stringify(queue)
      }: expected a non-empty string without "{" and "}"`,
    );
  }
}

/** The names of queues, without repetitions. */
export function checkQueueNames(queues: readonly string[]): string[] {
  if (!Array.isArray(queues)) {
    throw new TypeError(
      `queues is ${
        queues === null ? "null" : `a ${typeof queues}`
      }: expected an array of names`,
    );
  }
  // A copy of an array has no holes: they are undefined, which is no name.
  const names = [...new Set<string>(queues)];
  for (const name of names) checkQueueName(name);
  return names;
}

/** The time of a hint, in epoch milliseconds. */
export function checkDueTime(key: string, name: string, timeMs: number): void {
  if (!isTime(timeMs)) throw timeError(key, name, timeMs);
}

/** The options of a page, with their defaults. */
export function checkPage(
  { cursor, limit = 50, order = "newest", active = false }: ListPageOptions,
): {
  limit: number;
  order: PageOrder;
  active: boolean;
  after: Position | undefined;
} {
  requireInteger("limit", limit, 1, MAX_PAGE_LIMIT);
  if (order !== "newest" && order !== "oldest") {
    throw new RangeError(
      `order is ${JSON.stringify(order)}: expected "newest" or "oldest"`,
    );
  }
  if (typeof active !== "boolean") {
    throw new TypeError(`active is a ${typeof active}: expected a boolean`);
  }
  return {
    limit,
    order,
    active,
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
  name: "expiresAt" | "createdAt",
  value: number | undefined,
): void {
  if (value === undefined) return;
  const fractionFits = name === "createdAt" || Number.isInteger(value);
  if (!isTime(value) || !fractionFits) throw timeError(key, name, value);
}

function isTime(value: number): boolean {
  return typeof value === "number" && value >= 0 && value <= MAX_TIME_MS;
}

function timeError(key: string, name: string, value: unknown): Error {
  return new InvalidDataError(
    key,
    `${name} is ${value}: expected epoch milliseconds from 0 to ${MAX_TIME_MS}`,
  );
}
