/**
 * Tells whether a rejected command was sent, for every error of node-redis 6,
 * whose classes differ by constructor and not by `name`.
 *
 * @module
 */

/** A command that was surely not sent: no connection could be had for it. */
export class NotSentError extends Error {
  override readonly name = "NotSentError";

  /** @param cause Why there was no connection. */
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/**
 * Whether a command that was rejected with this error surely never reached the
 * server. `false` means that it may have been executed: the connection ended
 * with the answer still owed.
 *
 * An error reply is not asked about here: it is an answer.
 */
export function isSurelyUnsent(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof NotSentError) return true;
  switch (error.constructor.name) {
    case "ClientClosedError":
    case "ClientOfflineError":
    // By a signal or a timer, a command is only taken out of the queue of
    // those that were not written yet.
    case "AbortError":
    case "CommandTimeoutDuringMaintenanceError":
    case "RootNodesUnavailableError":
    // Thrown while a node is looked for, or while a command is encoded.
    case "TypeError":
      return true;
    case "TimeoutError":
      // A cluster ends what it has sent with this error, too, but without a
      // message, when slots migrate and a node does not answer any more.
      return error.message.startsWith("Timeout waiting for a client");
  }
  return error.message === "The queue is full";
}

/** Whether the client was closed by its owner: trying again is no use. */
export function isClosedClient(error: unknown): boolean {
  return error instanceof Error &&
    error.constructor.name === "ClientClosedError";
}

/** Whether it is an error reply: the server has read the command and refused. */
export function isErrorReply(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  for (
    let type = Object.getPrototypeOf(error);
    type !== null && type !== Error.prototype;
    type = Object.getPrototypeOf(type)
  ) {
    if (type.constructor.name === "ErrorReply") return true;
  }
  return false;
}
