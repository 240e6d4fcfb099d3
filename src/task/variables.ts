/** The variables of a task: merged, and held to the limits as they are stored. */

import { utf8Bytes } from "../storage/checks.ts";
import { setField, toJsonValue } from "./json_value.ts";
import { TaskLimitError } from "./limit_errors.ts";
import type { TaskLimits } from "./limits.ts";
import { quoted } from "./quoted.ts";
import { isPlainObject, kindOf } from "./value_kind.ts";

/**
 * Merges new values into the variables of a task, as JSON keeps them; null
 * deletes a name. What JSON keeps is what the limits are about: a date is a
 * string, and an object with `toJSON` is what that returns.
 *
 * @throws {TaskLimitError} If what results is over a limit.
 * @throws {TypeError} If the values have no names, or JSON cannot say one.
 */
export function mergeVariables(
  limits: Required<TaskLimits>,
  variables: Readonly<Record<string, unknown>>,
  changes: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  requireVariables(changes);
  const merged: Record<string, unknown> = { ...variables };
  for (const [name, change] of Object.entries(changes)) {
    const value = change === null ? undefined : toJsonValue(change, {
      value: (value, depth) => checkValue(limits, name, value, depth),
      name: (text) => checkString(limits, text),
    });
    if (value === undefined) delete merged[name];
    else {
      checkString(limits, name);
      setField(merged, name, value);
    }
  }
  checkSize(limits, merged);
  return merged;
}

/**
 * Refuses variables that are no object of names: a string or an array would be
 * spread into `{"0": …}`, and a class says no names of its own.
 *
 * @throws {TypeError} If they are none.
 */
export function requireVariables(
  variables: unknown,
): asserts variables is Readonly<Record<string, unknown>> {
  if (isPlainObject(variables)) return;
  throw new TypeError(
    `variables is ${kindOf(variables)}: expected an object of names and values`,
  );
}

function checkValue(
  limits: Required<TaskLimits>,
  name: string,
  value: unknown,
  depth: number,
): void {
  if (depth > limits.maxVariableDepth) {
    throw new TaskLimitError(
      "maxVariableDepth",
      limits.maxVariableDepth,
      depth,
      `the depth of variable ${quoted(name)}`,
    );
  }
  if (typeof value === "string") checkString(limits, value);
}

function checkString(limits: Required<TaskLimits>, text: string): void {
  const { maxStringBytes } = limits;
  if (text.length * 3 <= maxStringBytes) return;
  const bytes = utf8Bytes(text);
  if (bytes > maxStringBytes) {
    throw new TaskLimitError(
      "maxStringBytes",
      maxStringBytes,
      bytes,
      "the length of a string in the variables in bytes",
    );
  }
}

function checkSize(
  { maxVariablesBytes }: Required<TaskLimits>,
  variables: Readonly<Record<string, unknown>>,
): void {
  // Most are far below: the text is made, and counted, only near the limit.
  if (!mayExceed(variables, maxVariablesBytes)) return;
  const bytes = utf8Bytes(JSON.stringify(variables));
  if (bytes > maxVariablesBytes) {
    throw new TaskLimitError(
      "maxVariablesBytes",
      maxVariablesBytes,
      bytes,
      "the size of the variables in bytes",
    );
  }
}

/** The most bytes of JSON one UTF-16 unit of a string takes: `\u0000`. */
const UNIT_BYTES = 6;
/** More than a number, a literal or the marks around a value take. */
const VALUE_BYTES = 32;

/** Whether a value, by the most its parts can take, may be over so many bytes. */
function mayExceed(value: unknown, maxBytes: number): boolean {
  let left = maxBytes;
  const todo = [value];
  while (todo.length > 0) {
    const next = todo.pop();
    left -= VALUE_BYTES;
    if (typeof next === "string") left -= next.length * UNIT_BYTES;
    else if (Array.isArray(next)) { for (const item of next) todo.push(item); }
    else if (typeof next === "object" && next !== null) {
      for (const [name, field] of Object.entries(next)) {
        left -= name.length * UNIT_BYTES;
        todo.push(field);
      }
    }
    if (left < 0) return true;
  }
  return false;
}
