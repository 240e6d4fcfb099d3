/** Values as JSON keeps them, without the detour over text where it can be. */

/** Beyond it the text decides: it is not a record's usual shape, or a cycle. */
const MAX_DEPTH = 64;

/**
 * Copies a value as reading it back from JSON would give it; `undefined` where
 * JSON leaves it out.
 *
 * @throws {TypeError} If JSON cannot say it: a cycle, a `bigint`.
 */
export function toJsonValue(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value + 0 : null; // -0 becomes 0
    case "object":
      if (value === null) return null;
      return depth < MAX_DEPTH && isPlain(value)
        ? copyOf(value, depth + 1)
        : throughText(value);
    default:
      return throughText(value);
  }
}

function copyOf(value: object, depth: number): object {
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    for (let i = 0; i < value.length; i++) {
      copy.push(toJsonValue(value[i], depth) ?? null);
    }
    return copy;
  }
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const field = toJsonValue((value as typeof copy)[name], depth);
    if (field !== undefined) setField(copy, name, field);
  }
  return copy;
}

/** An array or an object that JSON writes field by field. */
function isPlain(value: object): boolean {
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    return false;
  }
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Sets a field of any name: `__proto__`, assigned, would set no field. */
export function setField(
  object: Record<string, unknown>,
  name: string,
  value: unknown,
): void {
  if (name !== "__proto__") {
    object[name] = value;
    return;
  }
  Object.defineProperty(object, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

function throughText(value: unknown): unknown {
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? undefined : JSON.parse(text);
}
