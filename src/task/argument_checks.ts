/**
 * The border of `TaskStore`: checks of the arguments of its methods, as far as
 * the storage does not make them. TypeScript says the same, but not to callers
 * in JavaScript, nor about what was cast.
 */

import { checkLease } from "../storage/checks.ts";
import type { LeaseRequest } from "../storage/leases.ts";
import { quoted } from "./quoted.ts";
import { TASK_STATUSES, type TaskStatus } from "./status.ts";
import { isPlainObject, kindOf } from "./value_kind.ts";

/** Throws unless the value is an object that has no other fields than these. */
export function requireNames(
  subject: string,
  value: unknown,
  names: readonly string[],
): void {
  if (!isPlainObject(value)) throw wrongKind(subject, value, "an object");
  for (const name of Object.keys(value)) {
    if (names.includes(name)) continue;
    throw new TypeError(
      `${subject} has the unknown name ${quoted(name)}: expected ${
        names.join(", ")
      }`,
    );
  }
}

/** Throws unless the value is an object of options. */
export function requireOptions(value: unknown): void {
  const isObject = typeof value === "object" && value !== null;
  if (isObject && kindOf(value) !== "a promise" && !Array.isArray(value)) {
    return;
  }
  throw wrongKind("options", value, "an object");
}

/** Checks a lease that is asked for; returns a copy, which stays as it is. */
export function leaseRequest(options: LeaseRequest): LeaseRequest {
  requireOptions(options);
  return checkLease(options);
}

/** Calls a check unless the value is left out. */
export function optional<T>(
  check: (name: string, value: T) => void,
  name: string,
  value: T | undefined,
): void {
  if (value !== undefined) check(name, value);
}

/** Throws unless the value is a state of tasks. */
export function requireStatus(name: string, value: unknown): void {
  requireText(name, value);
  if (TASK_STATUSES.includes(value as TaskStatus)) return;
  throw new RangeError(
    `${name} is ${quoted(value)}: expected one of ${TASK_STATUSES.join(", ")}`,
  );
}

/** Throws unless the value is a string. */
export function requireText(name: string, value: unknown): void {
  if (typeof value !== "string") throw wrongKind(name, value, "a string");
}

/** Throws unless the value is a boolean. */
export function requireBoolean(name: string, value: unknown): void {
  if (typeof value !== "boolean") throw wrongKind(name, value, "a boolean");
}

/** Throws unless the value is a function. */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw wrongKind(name, value, "a function");
}

/** Throws unless the value is an object, not an array, of whatever class. */
export function requireObject(name: string, value: unknown): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return;
  }
  throw wrongKind(name, value, "an object");
}

/** Throws unless the value is a signal, of this runtime or a polyfill's. */
export function requireSignal(name: string, value: unknown): void {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  if (typeof aborted === "boolean" && typeof addEventListener === "function") {
    return;
  }
  throw wrongKind(name, value, "an AbortSignal");
}

/** The error for an argument of another kind than what was expected. */
export function wrongKind(
  name: string,
  value: unknown,
  expected: string,
): TypeError {
  return new TypeError(`${name} is ${kindOf(value)}: expected ${expected}`);
}
