/** Turns what scripts answer about a damaged record into errors that name it. */

import { BackendError, InvalidDataError } from "../storage/errors.ts";
import { REPLY } from "./lua/fragments/fragments.ts";

/** Throws if a script's code says that the record is damaged. */
export function throwIfCorrupt(key: string, code: number): void {
  const problem = {
    [REPLY.badVersion]: "its version is missing or not an integer from 1",
    [REPLY.badData]: "its data is missing",
    [REPLY.badExpiry]: "its expires_at is not epoch seconds",
  }[code];
  if (problem !== undefined) {
    throw new InvalidDataError(key, `the record is damaged: ${problem}`);
  }
}

/** The error itself, or the one for a Redis key of another type. */
export function toStorageError(key: string, error: unknown): unknown {
  const wrongType = error instanceof BackendError &&
    error.cause instanceof Error &&
    error.cause.message.startsWith("WRONGTYPE");
  return wrongType
    ? new InvalidDataError(
      key,
      "one of its Redis keys holds another type than this library writes",
      { cause: error.cause },
    )
    : error;
}
