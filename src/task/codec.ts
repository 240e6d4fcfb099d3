/**
 * Task records as the JSON that is stored, and back. What is read is checked
 * field by field: a damaged record is an error that names the field, never an
 * `undefined` later. Fields not known here survive.
 */

import { parseTime } from "../storage/checks.ts";
import { InvalidDataError } from "../storage/errors.ts";
import type { TaskRecord } from "./record.ts";
import { TASK_STATUSES, type TaskStatus } from "./status.ts";

type JsonObject = Record<string, unknown>;

/**
 * Writes a record as JSON, if it could be read again.
 *
 * @returns The text, and the record as reading it would give: what cannot be
 * said in JSON is already gone from it.
 * @throws {TypeError} If a field is not what a record has there.
 */
export function encodeRecord(
  record: TaskRecord,
): { data: string; record: TaskRecord } {
  const data = recordText(record);
  const check = new Checker((problem) =>
    new TypeError(`cannot write the task: ${problem}`)
  );
  const { version } = record;
  return { data, record: { ...check.record(JSON.parse(data)), version } };
}

/** A record as JSON: all of it but the version. */
export function recordText({ version: _, ...fields }: TaskRecord): string {
  return JSON.stringify(fields);
}

/**
 * Reads a record.
 *
 * @throws {InvalidDataError} If it is not one, naming key and field.
 */
export function decodeRecord(
  key: string,
  data: string,
  version: number,
): TaskRecord {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (cause) {
    throw new InvalidDataError(key, "the record is not JSON", { cause });
  }
  const check = new Checker((problem) => new InvalidDataError(key, problem));
  return { ...check.record(value), version };
}

/** Fields that are left out where other writers may put null. */
const LEFT_OUT = [
  "error",
  "inputRequests",
  "inputResponses",
  "lease",
  "requestFingerprint",
];

/** Checks one field each; the error names it. */
class Checker {
  readonly #error: (problem: string) => Error;

  /** @param error Makes the error for what is wrong with a field. */
  constructor(error: (problem: string) => Error) {
    this.#error = error;
  }

  /** A whole record but for its version. */
  record(value: unknown): Omit<TaskRecord, "version"> {
    const record = this.object("the record", value);
    const task = this.object("task", record.task);
    this.text("task.taskId", task.taskId);
    this.status("task.status", task.status);
    this.optional("task.statusMessage", task.statusMessage, this.text);
    this.time("task.createdAt", task.createdAt);
    this.time("task.lastUpdatedAt", task.lastUpdatedAt);
    this.optional("task.ttl", task.ttl, this.milliseconds);
    this.optional("task.pollInterval", task.pollInterval, this.milliseconds);
    this.text("ownerId", record.ownerId);
    this.optional("variables", record.variables, this.object);
    this.text("requestMethod", record.requestMethod);
    this.optional("expiresAt", record.expiresAt, this.time);
    this.optional("error", record.error, this.error);
    this.optional("inputRequests", record.inputRequests, this.object);
    this.optional("inputResponses", record.inputResponses, this.object);
    this.optional("lease", record.lease, this.lease);
    this.optional("requestFingerprint", record.requestFingerprint, this.text);
    return {
      ...withoutNulls(record, LEFT_OUT),
      task: {
        ...withoutNulls(task, ["statusMessage", "pollInterval"]),
        ttl: task.ttl ?? null,
      },
      variables: record.variables ?? {},
      result: record.result ?? null,
      expiresAt: record.expiresAt ?? null,
    } as Omit<TaskRecord, "version">;
  }

  /** A field that may be left out or null. */
  optional(
    field: string,
    value: unknown,
    check: (field: string, value: unknown) => unknown,
  ): void {
    if (value !== undefined && value !== null) check(field, value);
  }

  readonly object = (field: string, value: unknown): JsonObject => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#fail(field, value, "an object");
    }
    return value as JsonObject;
  };

  readonly text = (field: string, value: unknown): void => {
    if (typeof value !== "string") this.#fail(field, value, "a string");
  };

  readonly status = (field: string, value: unknown): void => {
    if (!TASK_STATUSES.includes(value as TaskStatus)) {
      this.#fail(field, value, `one of ${TASK_STATUSES.join(", ")}`);
    }
  };

  readonly time = (field: string, value: unknown): void => {
    if (typeof value !== "string" || Number.isNaN(parseTime(value))) {
      this.#fail(field, value, "an RFC 3339 time");
    }
  };

  readonly milliseconds = (field: string, value: unknown): void => {
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      this.#fail(field, value, "milliseconds, an integer from 0");
    }
  };

  readonly error = (field: string, value: unknown): void => {
    const error = this.object(field, value);
    if (!Number.isSafeInteger(error.code)) {
      this.#fail(`${field}.code`, error.code, "an integer");
    }
    this.text(`${field}.message`, error.message);
  };

  readonly lease = (field: string, value: unknown): void => {
    const lease = this.object(field, value);
    this.text(`${field}.holder`, lease.holder);
    this.time(`${field}.expiresAt`, lease.expiresAt);
    this.optional(`${field}.lostAt`, lease.lostAt, this.time);
  };

  #fail(field: string, value: unknown, expected: string): never {
    const shown = JSON.stringify(value)?.slice(0, 80) ?? "missing";
    throw this.#error(`${field} is ${shown}: expected ${expected}`);
  }
}

function withoutNulls(
  object: JsonObject,
  fields: readonly string[],
): JsonObject {
  const kept = { ...object };
  for (const field of fields) if (kept[field] === null) delete kept[field];
  return kept;
}
