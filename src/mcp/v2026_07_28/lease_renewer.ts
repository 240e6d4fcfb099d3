/** Keeps the lease of a running task: renewed in time, or given up in time. */

import { errorKind } from "../../task/error_kind.ts";

/** The pause before a renewal that failed is tried again. */
const RETRY_MS = 500;

/**
 * The part of a lease that is relied on: the rest is for clocks that run at
 * different speeds and timers that are late.
 */
const RELIABLE = 0.9;

/** The options of a lease renewer. */
export interface LeaseRenewalOptions {
  /** The time a lease holds, in milliseconds. */
  readonly leaseMs: number;
  /** When the first one was asked for, as `performance.now()` has it. */
  readonly takenAt: number;
  /** Renews the lease: it holds for `leaseMs` from now. */
  readonly renew: () => Promise<void>;
  /** Called once, when the lease is lost; with why. */
  readonly onLost: (reason: unknown) => void;
}

/**
 * Renews a lease that has just been taken, every third of its time. When it
 * cannot be renewed, it is given up shortly before it runs out: from then on
 * everyone may read the task as failed.
 *
 * @returns How to stop; nothing is called back afterwards.
 */
export function startLeaseRenewal(
  { leaseMs, takenAt, renew, onLost }: LeaseRenewalOptions,
): () => void {
  // Counted from before each request: the store counts from later.
  let askedAt = takenAt;
  let lastError: unknown;
  let next: ReturnType<typeof setTimeout> | undefined;
  let last: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  const stop = () => {
    stopped = true;
    clearTimeout(next);
    clearTimeout(last);
  };
  const lose = (reason: unknown) => {
    if (stopped) return;
    stop();
    onLost(reason);
  };
  // A renewal under way may take longer than the lease has left.
  const guard = () => {
    clearTimeout(last);
    last = setTimeout(() => {
      lose(
        new Error(`the lease of ${leaseMs} ms could not be renewed`, {
          cause: lastError,
        }),
      );
    }, askedAt + leaseMs * RELIABLE - performance.now());
  };
  const attempt = async () => {
    const now = performance.now();
    try {
      await renew();
    } catch (error) {
      const kind = errorKind(error);
      if (kind === "lease_lost" || kind === "gone") return lose(error);
      // Ended well, or by a cancellation, of which others tell the handler.
      if (kind === "ended") return stop();
      lastError = error;
      if (!stopped) {
        next = setTimeout(attempt, Math.min(leaseMs / 10, RETRY_MS));
      }
      return;
    }
    if (stopped) return;
    askedAt = now;
    guard();
    next = setTimeout(attempt, leaseMs / 3);
  };
  guard();
  next = setTimeout(attempt, leaseMs / 3);
  return stop;
}
