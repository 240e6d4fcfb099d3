/**
 * What an error of the client says about the command: refused for good,
 * refused for now, never sent, or lost on the way. The one place that decides.
 */

import { BackendError, InvalidDataError } from "../../storage/errors.ts";

/** What became of a command that was rejected. */
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

/** Classes of node-redis for commands that never went out. */
const UNSENT = new Set(["ClientOfflineError", "AbortError"]);

/** Decides what a rejection means. */
export function classify(error: unknown): Rejection {
  if (!(error instanceof Error)) return "lost";
  const { message } = error;
  // Errors of the operating system carry a code; replies do not.
  if (!("code" in error) && /^[A-Z][A-Z0-9]+ /.test(message)) {
    if (message.startsWith("NOSCRIPT")) return "unknown_script";
    return REFUSED_FOR_NOW.test(message) ? "refused_for_now" : "refused";
  }
  // node-redis' errors differ by class, not by `name`.
  const name = error.constructor.name;
  if (name === "ClientClosedError") return "closed";
  if (UNSENT.has(name) || message === "The queue is full") return "unsent";
  return "lost";
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
