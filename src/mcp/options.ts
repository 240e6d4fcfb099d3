/**
 * Checks of the options that adapters of both eras have: made once, when an
 * adapter is, so that no client is the first to see that one is wrong.
 */

import { requireInteger } from "../storage/checks.ts";
import { MAX_DURATION_MS, type TaskLimits } from "../task/limits.ts";
import { quoted } from "../task/quoted.ts";
import { isWellFormed } from "../util/well_formed.ts";

/** Throws unless the value is a function. */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value === "function") return;
  throw new TypeError(`${name} is ${shown(value)}: expected a function`);
}

/** Throws unless the value is a function or left out. */
export function requireCallback(name: string, value: unknown): void {
  if (value !== undefined) requireFunction(name, value);
}

/** Throws unless the value is a text that can be a part of a key. */
export function requireName(
  name: string,
  value: unknown,
  what: string,
): asserts value is string {
  if (typeof value === "string" && value !== "" && isWellFormed(value)) return;
  throw new TypeError(
    `${name} is ${
      value === "" ? "empty" : shown(value)
    }: expected ${what}, a non-empty string without lone surrogates`,
  );
}

/** Throws unless tasks of a store may live so long; `null`: without an end. */
export function requireTtl(
  name: string,
  ttlMs: number | null,
  { maxTtlMs }: Required<TaskLimits>,
): void {
  if (ttlMs !== null) {
    return requireInteger(name, ttlMs, 1, Math.min(maxTtlMs, MAX_DURATION_MS));
  }
  if (maxTtlMs === Infinity) return;
  throw new RangeError(
    `${name} is null: expected at most limits.maxTtlMs of the store, ${maxTtlMs}`,
  );
}

/** A value in the message of its error: a text quoted, an object by its kind. */
function shown(value: unknown): string {
  return typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : quoted(value);
}
