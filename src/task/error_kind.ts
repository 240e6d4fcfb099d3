/** The meaning of a `TaskStore`'s error for a caller that goes on by itself. */

import { BackendError } from "../storage/errors.ts";
import {
  ConcurrentModificationError,
  InvalidTransitionError,
  TaskExpiredError,
  TaskNotFoundError,
  TaskStorageError,
} from "./errors.ts";
import { LeaseHeldError, LeaseLostError } from "./lease_errors.ts";

/**
 * - `transient`: the storage failed, or others kept writing first; the same
 *   call may succeed later.
 * - `stored`: the write is stored, though too few replicas have confirmed it.
 * - `closed`: the storage was closed; no call succeeds any more.
 * - `ended`: the task has ended in a state of its own.
 * - `lease_lost`: the caller's lease has ended.
 * - `gone`: there is no such task, or no more.
 * - `other`: the call itself is wrong, or not a task's matter.
 */
export type ErrorKind =
  | "transient"
  | "stored"
  | "closed"
  | "ended"
  | "lease_lost"
  | "gone"
  | "other";

/** Classifies an error. */
export function errorKind(error: unknown): ErrorKind {
  if (error instanceof TaskStorageError) {
    const { cause } = error;
    if (!(cause instanceof BackendError)) return "other";
    if (cause.closed) return "closed";
    return cause.outcome === "applied" ? "stored" : "transient";
  }
  if (error instanceof LeaseLostError || error instanceof LeaseHeldError) {
    return "lease_lost";
  }
  if (error instanceof InvalidTransitionError) return "ended";
  if (error instanceof TaskNotFoundError || error instanceof TaskExpiredError) {
    return "gone";
  }
  return error instanceof ConcurrentModificationError ? "transient" : "other";
}

/** Whether the same call may succeed later. */
export function isTransient(error: unknown): boolean {
  return errorKind(error) === "transient";
}
