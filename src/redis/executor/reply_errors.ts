/**
 * Classifies the errors of the client by what they say about the command:
 * refused for good, refused for now, never sent, or lost on the way.
 */

import { BackendError, InvalidDataError } from "../../storage/errors.ts";
import {
  isClosedClient,
  isErrorReply,
  isSurelyUnsent,
} from "../send_errors.ts";
import type { DurabilityOptions } from "./retry.ts";

/** The outcome of a command that was rejected. */
export type Rejection =
  /** The server does not know the script. Nothing was executed. */
  | "unknown_script"
  /** The server says "not now". Nothing was executed. */
  | "refused_for_now"
  /** The server says no. Nothing was executed. */
  | "refused"
  /** It never went out. */
  | "unsent"
  /** The client was closed: trying again is no use. It never went out. */
  | "closed"
  /** The connection failed: it may have been executed. */
  | "lost";

const REFUSED_FOR_NOW =
  /^(LOADING|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|BUSY|READONLY|NOREPLICAS) /;

/** Whether an error reply says "not now": the same command may pass later. */
export function isRefusedForNow(message: string): boolean {
  return REFUSED_FOR_NOW.test(message);
}

/** Decides what a rejection means. */
export function classify(error: unknown): Rejection {
  if (isErrorReply(error)) {
    if (error.message.startsWith("NOSCRIPT")) return "unknown_script";
    return isRefusedForNow(error.message) ? "refused_for_now" : "refused";
  }
  if (isClosedClient(error)) return "closed";
  return isSurelyUnsent(error) ? "unsent" : "lost";
}

/** The error for a command that the server refused. */
export function refusedError(
  what: string,
  key: string,
  cause: Error,
  isLost: boolean,
): Error {
  if (cause.message.startsWith("WRONGTYPE")) {
    return new InvalidDataError(
      key,
      "one of its Redis keys holds another type than this library writes",
      { cause },
    );
  }
  const hint = /unknown (redis )?command/i.test(cause.message)
    ? " (Redis >= 7.0 or Valkey >= 7.2 is needed)"
    : "";
  return new BackendError(`${what} failed: ${cause.message}${hint}`, {
    cause,
    outcome: isLost ? "unknown" : "not_applied",
  });
}

/** The error for a command on a client that its owner has closed. */
export function clientClosedError(
  what: string,
  cause: unknown,
  isUnknown: boolean,
): BackendError {
  const fate = isUnknown ? "; whether it was executed is unknown" : "";
  return new BackendError(`${what} failed: the client was closed${fate}`, {
    cause,
    closed: true,
    outcome: isUnknown ? "unknown" : "not_applied",
  });
}

/** The error for a command whose time has run out. */
export function timeoutError(
  what: string,
  cause: unknown,
  tries: number,
  isUnknown: boolean,
): BackendError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const fate = isUnknown ? "; whether it was executed is unknown" : "";
  return new BackendError(
    `${what} failed after ${
      tries === 1 ? "1 try" : `${tries} tries`
    }: ${reason}${fate}`,
    { cause, outcome: isUnknown ? "unknown" : "not_applied" },
  );
}

/** The error for a command that came after its deadline once too often. */
export function lateError(
  what: string,
  tries: number,
  isUnknown: boolean,
): BackendError {
  const cause = "it reached the server after its deadline";
  return timeoutError(what, cause, tries, isUnknown);
}

/** The error for a retry that cannot tell whether an earlier try succeeded. */
export function undecidedError(what: string): BackendError {
  return new BackendError(
    `${what} was tried again, and whether an earlier try was executed can no longer be decided`,
    { outcome: "unknown" },
  );
}

/** The error for a write that too few replicas have confirmed. */
export function unconfirmedError(
  what: string,
  confirmed: number,
  { replicas, timeoutMs }: DurabilityOptions,
  version: number | undefined,
  cause: unknown,
): BackendError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new BackendError(
    `${what} is written, but ${confirmed} of ${replicas} replicas confirmed it within ${timeoutMs} ms${why}`,
    {
      outcome: "applied",
      cause,
      ...(version === undefined ? {} : { version }),
    },
  );
}

/** The error for a lost command that a closed backend will not try again. */
export function closedUnknownError(
  what: string,
  cause: unknown,
): BackendError {
  return new BackendError(
    `${what}: the backend was closed before it could be tried again; whether it was executed is unknown`,
    { outcome: "unknown", closed: true, cause },
  );
}
