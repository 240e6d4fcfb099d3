/** The limits of a store, their defaults, and the checks of what is bounded. */

import { requireInteger } from "../storage/checks.ts";
import { TaskLimitError } from "./limit_errors.ts";
import { requireNames } from "./argument_checks.ts";

/** The limits of a store. Larger requests are refused, never cut down. */
export interface TaskLimits {
  /** Live tasks of one owner, in any state. Default: 1,000. */
  readonly maxTasksPerOwner?: number;
  /** Tasks of one owner that have not ended. Default: 100. */
  readonly maxActiveTasksPerOwner?: number;
  /**
   * The TTL of a task that asks for none, in milliseconds; `null`: such a task
   * has no end, where `maxTtlMs` is `Infinity`. Default: 1 hour.
   */
  readonly defaultTtlMs?: number | null;
  /** The longest TTL, in milliseconds; `Infinity`: none is too long. Default: 24 hours. */
  readonly maxTtlMs?: number;
  /** All variables of a task as JSON, in bytes of UTF-8. Default: 1 MiB. */
  readonly maxVariablesBytes?: number;
  /** The depth to which arrays and objects may nest in a variable. Default: 10. */
  readonly maxVariableDepth?: number;
  /** A string or a name in the variables, in bytes of UTF-8. Default: 64 KiB. */
  readonly maxStringBytes?: number;
}

/** Beyond it there are no dates: some three thousand years. */
export const MAX_DURATION_MS = 1e14;

const DEFAULTS: Required<TaskLimits> = {
  maxTasksPerOwner: 1000,
  maxActiveTasksPerOwner: 100,
  defaultTtlMs: 60 * 60 * 1000,
  maxTtlMs: 24 * 60 * 60 * 1000,
  maxVariablesBytes: 1024 * 1024,
  maxVariableDepth: 10,
  maxStringBytes: 64 * 1024,
};

/**
 * Fills in the default of every limit that was not given.
 *
 * @throws {TypeError} If a limit has another type, or an unknown name: it
 * would limit nothing.
 * @throws {RangeError} If it is out of its range.
 */
export function resolveLimits(limits: TaskLimits): Required<TaskLimits> {
  requireNames("limits", limits, Object.keys(DEFAULTS));
  const all = { ...DEFAULTS, ...limits };
  for (const [name, value] of Object.entries(all)) {
    if (name === "maxTtlMs" && value === Infinity) continue;
    if (name === "defaultTtlMs" && value === null) continue;
    requireInteger(`limits.${name}`, value as number, 1);
  }
  if ((all.defaultTtlMs ?? Infinity) > all.maxTtlMs) {
    throw new RangeError(
      `limits.defaultTtlMs is ${all.defaultTtlMs}: expected at most maxTtlMs, ${all.maxTtlMs}`,
    );
  }
  return all;
}

/**
 * Returns the TTL a task gets, in milliseconds; `null`: it never ends.
 *
 * @throws {TaskLimitError} If it is over `maxTtlMs`.
 */
export function checkTtl(
  limits: Required<TaskLimits>,
  ttlMs: number | null = limits.defaultTtlMs,
): number | null {
  if (ttlMs !== null) requireInteger("ttlMs", ttlMs, 1, MAX_DURATION_MS);
  if ((ttlMs ?? Infinity) > limits.maxTtlMs) {
    throw new TaskLimitError(
      "maxTtlMs",
      limits.maxTtlMs,
      ttlMs ?? Infinity,
      "the TTL",
    );
  }
  return ttlMs;
}
