/** Values as JSON keeps them, without the detour over text where it can be. */

/** Beyond it the text decides: it is not a record's usual shape, or a cycle. */
const MAX_DEPTH = 64;

/**
 * Judges what is kept of a value while it is copied, outermost first, and
 * throws to refuse it. It must refuse some depth: nothing else bounds it.
 */
export interface JsonVisitor {
  /** Judges a value as it is kept; what was copied has depth 0. */
  value(value: unknown, depth: number): void;
  /** Judges the name of a field that is kept. */
  name(name: string): void;
}

/**
 * Copies a value as reading it back from JSON would give it; `undefined` where
 * JSON leaves it out.
 *
 * @throws {TypeError} If JSON cannot say it: a cycle, a `bigint`.
 */
export function toJsonValue(
  value: unknown,
  visitor?: JsonVisitor,
  depth = 0,
): unknown {
  if (typeof value === "object" && value !== null) {
    if ((visitor || depth < MAX_DEPTH) && isPlain(value)) {
      visitor?.value(value, depth);
      return copyOf(value, visitor, depth + 1);
    }
    return throughText(value, visitor, depth);
  }
  const kept = primitive(value);
  if (kept !== undefined) visitor?.value(kept, depth);
  return kept;
}

function primitive(value: unknown): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value + 0 : null; // -0 becomes 0
    case "object":
      return null;
    default:
      return throughText(value, undefined, 0);
  }
}

function copyOf(
  value: object,
  visitor: JsonVisitor | undefined,
  depth: number,
): object {
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    for (let i = 0; i < value.length; i++) {
      const item = toJsonValue(value[i], visitor, depth);
      if (item === undefined) visitor?.value(null, depth);
      copy.push(item ?? null);
    }
    return copy;
  }
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const field = (value as typeof copy)[name];
    const kept = toJsonValue(field, visitor, depth);
    if (kept === undefined) continue;
    visitor?.name(name);
    setField(copy, name, kept);
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

function throughText(
  value: unknown,
  visitor: JsonVisitor | undefined,
  depth: number,
): unknown {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) return undefined;
  const kept = JSON.parse(text);
  if (visitor) visit(kept, visitor, depth);
  return kept;
}

function visit(value: unknown, visitor: JsonVisitor, depth: number): void {
  visitor.value(value, depth);
  if (typeof value !== "object" || value === null) return;
  for (const [name, field] of Object.entries(value)) {
    if (!Array.isArray(value)) visitor.name(name);
    visit(field, visitor, depth + 1);
  }
}
