/** What values are: for checks of arguments, and for the errors that say so. */

/** Whether a value is an object of named fields, of no class. */
export function isPlainObject(
  value: unknown,
): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // Objects of another realm have an `Object.prototype` of their own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Whether a value is a promise, or behaves as one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** Names the kind of a value for a message: `a promise`, `an array`, `null`. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (isThenable(value)) return "a promise";
  if (typeof value !== "object" || isPlainObject(value)) {
    return `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
  }
  const { name } = (value as { constructor?: { name?: unknown } })
    .constructor ?? {};
  return typeof name === "string" && name !== "" && name.length <= 60
    ? `an instance of ${name}`
    : "an instance of a class";
}
