/** The check of a tool's result before it is stored as JSON. */

import { messageOf } from "../client_errors.ts";

/**
 * Says what of a value JSON cannot hold, and where it is; `undefined` if it
 * can hold all of it.
 *
 * A field that is `undefined` is none, as everywhere on the wire. A function,
 * a symbol, or `undefined` as an item of an array would be left out or become
 * `null` without a word: such a result is a mistake of the tool's. Numbers that
 * are not finite become `null`, as JSON has it.
 */
export function unstorablePart(result: unknown): string | undefined {
  try {
    return result === undefined
      ? "the result is undefined"
      : findIn(result, "the result", new Set());
  } catch (error) {
    // A getter, a toJSON, or a nesting that is too deep.
    return `the result cannot be read: ${messageOf(error)}`;
  }
}

function findIn(
  value: unknown,
  path: string,
  around: Set<object>,
): string | undefined {
  switch (typeof value) {
    case "bigint":
    case "function":
    case "symbol":
      return `${path} is a ${typeof value}`;
    case "undefined":
      return `${path} is undefined`;
    case "object":
      return value === null ? undefined : findInObject(value, path, around);
  }
  return undefined;
}

function findInObject(
  object: object & { toJSON?: unknown },
  path: string,
  around: Set<object>,
): string | undefined {
  if (around.has(object)) return `${path} contains itself`;
  around.add(object);
  const json = typeof object.toJSON === "function" ? object.toJSON() : object;
  const found = json === object
    ? findInFields(object, path, around)
    : findIn(json, path, around);
  around.delete(object);
  return found;
}

function findInFields(
  object: object,
  path: string,
  around: Set<object>,
): string | undefined {
  if (Array.isArray(object)) {
    for (let i = 0; i < object.length; i++) {
      const found = findIn(object[i], `${path}[${i}]`, around);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue;
    const found = findIn(value, `${path}.${name}`, around);
    if (found !== undefined) return found;
  }
  return undefined;
}
