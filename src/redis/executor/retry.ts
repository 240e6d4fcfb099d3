/** Options of retries and of durable writes. */

import { requireInteger } from "../../storage/checks.ts";

/** Bounds on the tries of an operation. */
export interface RetryOptions {
  /**
   * The most time for all tries of one operation, in milliseconds, at most
   * 30,000: for longer, the storage does not remember a write by its name.
   * Default: 10,000.
   */
  readonly timeoutMs?: number;
}

/** Conditions under which a write counts as durable. */
export interface DurabilityOptions {
  /** Replicas that must have confirmed the write, from 1. */
  readonly replicas: number;
  /**
   * The longest time to wait for them, in milliseconds, 1 to 10,000; twice this and
   * `retry.timeoutMs` are at most 30,000 together.
   */
  readonly timeoutMs: number;
}

/** Longer, and the trace of operation ids might not reach back. */
const MAX_TIMEOUT_MS = 30_000;

/** The time of one operation, checked, in milliseconds. */
export function checkRetry({ timeoutMs = 10_000 }: RetryOptions = {}): number {
  requireInteger("retry.timeoutMs", timeoutMs, 1, MAX_TIMEOUT_MS);
  return timeoutMs;
}

/** The durability, checked beside the time of one operation without it. */
export function checkDurability(
  durability: DurabilityOptions | undefined,
  retryMs: number,
): DurabilityOptions | undefined {
  if (durability === undefined) return undefined;
  const { replicas, timeoutMs } = durability;
  requireInteger("durability.replicas", replicas, 1);
  requireInteger("durability.timeoutMs", timeoutMs, 1, 10_000);
  const wholeMs = retryMs + 2 * timeoutMs;
  if (wholeMs > MAX_TIMEOUT_MS) {
    throw new RangeError(
      `retry.timeoutMs and twice durability.timeoutMs are ${wholeMs}: expected at most ${MAX_TIMEOUT_MS} together`,
    );
  }
  return { replicas, timeoutMs };
}

/** The pause before the try of that number, in milliseconds, with jitter. */
export function pauseBefore(attempt: number): number {
  return Math.min(10 * 2 ** attempt, 250) * (0.5 + Math.random());
}
