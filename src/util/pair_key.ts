/** Returns a key of a map: one for each pair, whatever its parts are made of. */
export function pairKey(one: string, other: string): string {
  return JSON.stringify([one, other]);
}
