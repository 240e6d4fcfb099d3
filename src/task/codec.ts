/**
 * Task records as the JSON that is stored, and back. What is read and what is
 * written is checked field by field: a damaged record is an error that names
 * the field, never an `undefined` later. Fields not known here survive.
 */

import type { VersionedRecord } from "../storage/record.ts";
import { InvalidDataError } from "../storage/errors.ts";
import { parseTime } from "../util/time.ts";
import type { TaskRecord } from "./record.ts";
import { TASK_STATUSES, type TaskStatus } from "./status.ts";

type JsonObject = Record<string, unknown>;

/** Makes the error for what is wrong with a field. */
type ErrorOf = (problem: string) => Error;

/**
 * Writes a record as JSON, if it could be read again. What callers put into it
 * must be JSON already: see `toJsonValue`.
 *
 * @throws {TypeError} If a field is not what a record has there.
 */
export function encodeRecord(record: TaskRecord): string {
  requireWritable(record);
  // All of it but what the storage keeps beside the data.
  const { version: _, etag: __, lease: ___, ...fields } = record;
  return JSON.stringify(fields);
}

/**
 * Refuses a record that could not be read again.
 *
 * @throws {TypeError} If a field is not what a record has there.
 */
export function requireWritable(record: TaskRecord): void {
  checkRecord(record as unknown as JsonObject, notWritten);
}

/**
 * Reads a record; its lease is not in the text.
 *
 * @throws {InvalidDataError} If it is not one, naming key and field.
 */
export function decodeRecord(
  key: string,
  { data, version, etag }: VersionedRecord,
): TaskRecord {
  let record: unknown;
  try {
    record = JSON.parse(data);
  } catch (cause) {
    throw new InvalidDataError(key, "the record is not JSON", { cause });
  }
  const errorOf = (problem: string) => new InvalidDataError(key, problem);
  if (!isObject(record)) throw wrong(errorOf, "the record", record, AN_OBJECT);
  checkRecord(record, errorOf);
  fillIn(record);
  record.version = version;
  record.etag = etag;
  return record as unknown as TaskRecord;
}

/** Other writers leave out what is `null` here, and put null where we do not. */
function fillIn(record: JsonObject): void {
  for (const field of LEFT_OUT) {
    if (record[field] === null) delete record[field];
  }
  const task = record.task as JsonObject;
  if (task.statusMessage === null) delete task.statusMessage;
  if (task.pollInterval === null) delete task.pollInterval;
  task.ttl ??= null;
  record.variables ??= {};
  record.result ??= null;
  record.expiresAt ??= null;
  // Version 0.1.0 kept leases here; the storage keeps them beside the record.
  if (record.lease !== undefined) delete record.lease;
}

/** Fields that are left out where other writers may put null. */
const LEFT_OUT = [
  "error",
  "inputRequests",
  "inputResponses",
  "lostLease",
  "requestFingerprint",
  "runId",
  "createdOrder",
] as const;

const AN_OBJECT = "an object";
const A_STRING = "a string";
const A_TIME = "an RFC 3339 time";
const A_NATURAL = "an integer from 0";

function checkRecord(record: JsonObject, errorOf: ErrorOf): void {
  const { task, error, lostLease } = record;
  if (!isObject(task)) throw wrong(errorOf, "task", task, AN_OBJECT);
  text(errorOf, "task.taskId", task.taskId);
  if (!TASK_STATUSES.includes(task.status as TaskStatus)) {
    const statuses = `one of ${TASK_STATUSES.join(", ")}`;
    throw wrong(errorOf, "task.status", task.status, statuses);
  }
  if (task.statusMessage != null) {
    text(errorOf, "task.statusMessage", task.statusMessage);
  }
  time(errorOf, "task.createdAt", task.createdAt);
  time(errorOf, "task.lastUpdatedAt", task.lastUpdatedAt);
  if (task.ttl != null) natural(errorOf, "task.ttl", task.ttl);
  if (task.pollInterval != null) {
    natural(errorOf, "task.pollInterval", task.pollInterval);
  }
  text(errorOf, "ownerId", record.ownerId);
  text(errorOf, "requestMethod", record.requestMethod);
  if (record.expiresAt != null) time(errorOf, "expiresAt", record.expiresAt);
  objectIfAny(errorOf, "variables", record.variables);
  objectIfAny(errorOf, "inputRequests", record.inputRequests);
  objectIfAny(errorOf, "inputResponses", record.inputResponses);
  if (error != null) checkError(error, errorOf);
  if (lostLease != null) checkLostLease(lostLease, errorOf);
  if (record.requestFingerprint != null) {
    text(errorOf, "requestFingerprint", record.requestFingerprint);
  }
  if (record.runId != null) text(errorOf, "runId", record.runId);
  if (record.createdOrder != null) {
    natural(errorOf, "createdOrder", record.createdOrder);
  }
}

function checkError(error: unknown, errorOf: ErrorOf): void {
  if (!isObject(error)) throw wrong(errorOf, "error", error, AN_OBJECT);
  if (!Number.isSafeInteger(error.code)) {
    throw wrong(errorOf, "error.code", error.code, "an integer");
  }
  text(errorOf, "error.message", error.message);
}

function checkLostLease(lost: unknown, errorOf: ErrorOf): void {
  if (!isObject(lost)) throw wrong(errorOf, "lostLease", lost, AN_OBJECT);
  text(errorOf, "lostLease.holder", lost.holder);
  time(errorOf, "lostLease.lostAt", lost.lostAt);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectIfAny(errorOf: ErrorOf, field: string, value: unknown): void {
  if (value != null && !isObject(value)) {
    throw wrong(errorOf, field, value, AN_OBJECT);
  }
}

function text(errorOf: ErrorOf, field: string, value: unknown): void {
  if (typeof value !== "string") throw wrong(errorOf, field, value, A_STRING);
}

function time(errorOf: ErrorOf, field: string, value: unknown): void {
  if (typeof value !== "string" || Number.isNaN(parseTime(value))) {
    throw wrong(errorOf, field, value, A_TIME);
  }
}

function natural(errorOf: ErrorOf, field: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw wrong(errorOf, field, value, A_NATURAL);
  }
}

function wrong(
  errorOf: ErrorOf,
  field: string,
  value: unknown,
  expected: string,
): Error {
  const shown = JSON.stringify(value)?.slice(0, 80) ?? "missing";
  return errorOf(`${field} is ${shown}: expected ${expected}`);
}

function notWritten(problem: string): Error {
  return new TypeError(`cannot write the task: ${problem}`);
}
