/** The little statistics the benchmark needs. */

/** The middle value; the upper one of two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/**
 * How many times faster `other` is than `base`: the median of the ratios of
 * the same round, which a drift of the machine does not move.
 */
export function speedRatio(
  base: readonly number[],
  other: readonly number[],
): number {
  return median(other.map((us, round) => base[round]! / us));
}
