/** Operation ids: the names of writes. Every backend makes them here. */

const ALPHABET =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Two characters for each 12 random bits. */
const PAIRS: readonly string[] = Array.from(
  { length: 4096 },
  (_, i) => ALPHABET[i >>> 6]! + ALPHABET[i & 63]!,
);

/** Random bits are drawn for many ids at once: a draw costs more than an id. */
const pool = new Uint16Array(6 * 512);
let used = pool.length;

/** Makes an id of 72 random bits, 12 characters. */
export function newOperationId(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  const at = used;
  used += 6;
  return PAIRS[pool[at]! & 4095]! + PAIRS[pool[at + 1]! & 4095]! +
    PAIRS[pool[at + 2]! & 4095]! + PAIRS[pool[at + 3]! & 4095]! +
    PAIRS[pool[at + 4]! & 4095]! + PAIRS[pool[at + 5]! & 4095]!;
}
