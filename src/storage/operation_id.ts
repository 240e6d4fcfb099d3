/** Operation ids: the names of writes. Every backend makes them here. */

const ALPHABET =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Random characters an id has: 11 of 6 bits each. */
const LENGTH = 11;

/** Random bytes are drawn for many ids at once: a draw costs more than an id. */
const pool = new Uint8Array(LENGTH * 512);
let used = pool.length;

/** Makes an id of 66 random bits. */
export function newOperationId(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let id = "";
  for (let i = 0; i < LENGTH; i++) id += ALPHABET[pool[used++]! & 63];
  return id;
}
