/**
 * The codes scripts answer besides data; `src/redis/replies.ts` makes errors of
 * them.
 */

/**
 * The first element of an answer that is not a plain success. A success is the
 * new version as text, or what the script's own comment says.
 */
export const REPLY = {
  /** It is done: `{1, …}`. */
  applied: 1,
  /** The record is another than the expected one: `{0, its version}`. */
  conflict: 0,
  /** The quota of live records is used up: `{-1, live records}`. */
  full: -1,
  /** The version of the stored record is missing or no version. */
  badVersion: -2,
  /** The data of the stored record is missing. */
  badData: -3,
  /** The `expires_at` of the stored record is not epoch seconds. */
  badExpiry: -4,
  /** The deadline of the write has passed: `{-5, server time in ms}`. */
  late: -5,
  /** Whether an earlier try was applied cannot be decided. */
  unknown: -6,
  /** The lease with that fence has ended. */
  fenced: -7,
  /** The lease is held: `{-8, ms left, holder}`. */
  held: -8,
  /** The quota of active records is used up: `{-9, active records}`. */
  activeFull: -9,
  /** There is no live record. */
  absent: -10,
} as const;
