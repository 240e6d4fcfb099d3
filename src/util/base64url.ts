/** Bytes as base64url text without padding; cursors and sealed parts use it. */

const ALPHABET =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The characters by value. */
const CODES = new TextEncoder().encode(ALPHABET);

/** The values by character; 128 for a byte that is none of them. */
const VALUES = new Uint8Array(256).fill(128);
CODES.forEach((code, value) => VALUES[code] = value);

/** Methods of ECMAScript 2026: some ten times as fast, where they are there. */
interface NativeBase64 {
  readonly fromBase64?: (
    text: string,
    options: { readonly alphabet: "base64url" },
  ) => ReturnType<typeof decodeByTable> & object;
  readonly prototype: {
    readonly toBase64?: (
      options: { readonly alphabet: "base64url"; readonly omitPadding: true },
    ) => string;
  };
}
const native = Uint8Array as unknown as NativeBase64;

/** Encodes bytes. */
export const encodeBase64Url: (bytes: Uint8Array) => string =
  native.prototype.toBase64 === undefined
    ? encodeByTable
    : (bytes) =>
      native.prototype.toBase64!.call(bytes, {
        alphabet: "base64url",
        omitPadding: true,
      });

/** Decodes text; `undefined` if it is not base64url. */
export const decodeBase64Url: typeof decodeByTable =
  native.fromBase64 === undefined ? decodeByTable : (text) => {
    if (text.length % 4 === 1) return undefined;
    let bytes;
    try {
      bytes = native.fromBase64!(text, { alphabet: "base64url" });
    } catch {
      return undefined;
    }
    // It skips white space and padding, which are none of the alphabet.
    return bytes.length === byteLength(text.length) ? bytes : undefined;
  };

/** Encodes bytes where the platform has no method for it. */
export function encodeByTable(bytes: Uint8Array): string {
  const { length } = bytes;
  const codes = new Uint8Array(Math.ceil(length * 4 / 3));
  let at = 0;
  let i = 0;
  for (; i + 2 < length; i += 3) {
    const bits = bytes[i]! << 16 | bytes[i + 1]! << 8 | bytes[i + 2]!;
    codes[at++] = CODES[bits >> 18]!;
    codes[at++] = CODES[bits >> 12 & 63]!;
    codes[at++] = CODES[bits >> 6 & 63]!;
    codes[at++] = CODES[bits & 63]!;
  }
  if (i < length) {
    const bits = bytes[i]! << 16 | (bytes[i + 1] ?? 0) << 8;
    codes[at++] = CODES[bits >> 18]!;
    codes[at++] = CODES[bits >> 12 & 63]!;
    if (i + 1 < length) codes[at] = CODES[bits >> 6 & 63]!;
  }
  return new TextDecoder().decode(codes);
}

/**
 * Decodes text where the platform has no method for it. (Its type is inferred:
 * how an array of its own memory is called differs between compilers.)
 */
export function decodeByTable(text: string) {
  // A call for each byte, of a callback or of a string's iterator, would cost
  // as much as all the rest of reading a record. What is not ASCII becomes
  // bytes that are no characters of ours.
  const codes = new TextEncoder().encode(text);
  const { length } = codes;
  if (length % 4 === 1) return undefined;
  const bytes = new Uint8Array(byteLength(length));
  let seen = 0;
  let at = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    const a = VALUES[codes[i]!]!;
    const b = VALUES[codes[i + 1]!]!;
    const c = VALUES[codes[i + 2]!]!;
    const d = VALUES[codes[i + 3]!]!;
    seen |= a | b | c | d;
    bytes[at++] = a << 2 | b >> 4;
    bytes[at++] = b << 4 | c >> 2;
    bytes[at++] = c << 6 | d;
  }
  if (i < length) {
    const a = VALUES[codes[i]!]!;
    const b = VALUES[codes[i + 1]!]!;
    const c = i + 2 < length ? VALUES[codes[i + 2]!]! : 0;
    seen |= a | b | c;
    bytes[at++] = a << 2 | b >> 4;
    if (i + 2 < length) bytes[at] = b << 4 | c >> 2;
  }
  return seen < 128 ? bytes : undefined;
}

/** Counts the bytes that so many characters say. */
function byteLength(characters: number): number {
  return Math.floor(characters * 3 / 4);
}
