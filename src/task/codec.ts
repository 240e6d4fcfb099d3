/**
 * Task records as the JSON that is stored, and back. What is read is checked
 * field by field: a damaged record is an error that names the field, never an
 * `undefined` later. Fields not known here survive.
 */

import { parseTime } from "../checks.ts";
import { InvalidDataError } from "../errors.ts";
import type { TaskRecord } from "./record.ts";
import { TASK_STATUSES, type TaskStatus } from "./status.ts";

type JsonObject = Record<string, unknown>;

/**
 * Writes a record as JSON.
 *
 * @returns The text, and the record as reading it would give: what cannot be
 * said in JSON is already gone from it.
 */
export function encodeRecord(
  record: TaskRecord,
): { data: string; record: TaskRecord } {
  const { version, ...fields } = record;
  const data = JSON.stringify(fields);
  return { data, record: { ...JSON.parse(data), version } };
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
  const check = new Checker(key);
  const record = check.object("the record", value);
  const task = check.object("task", record.task);
  check.text("task.taskId", task.taskId);
  check.status("task.status", task.status);
  check.optional("task.statusMessage", task.statusMessage, check.text);
  check.time("task.createdAt", task.createdAt);
  check.time("task.lastUpdatedAt", task.lastUpdatedAt);
  check.optional("task.ttl", task.ttl, check.milliseconds);
  check.optional("task.pollInterval", task.pollInterval, check.milliseconds);
  check.text("ownerId", record.ownerId);
  check.object("variables", record.variables ?? {});
  check.text("requestMethod", record.requestMethod);
  check.optional("expiresAt", record.expiresAt, check.time);
  check.optional("error", record.error, check.error);
  check.optional("inputRequests", record.inputRequests, check.object);
  check.optional("inputResponses", record.inputResponses, check.object);
  check.optional("lease", record.lease, check.lease);
  return {
    ...record,
    task: { ...task, ttl: task.ttl ?? null },
    variables: record.variables ?? {},
    result: record.result ?? null,
    expiresAt: record.expiresAt ?? null,
    version,
  } as TaskRecord;
}

/** Checks one field each; the error names it. */
class Checker {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
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
    throw new InvalidDataError(
      this.#key,
      `${field} is ${shown}: expected ${expected}`,
    );
  }
}
