/**
 * Errors on their way to clients, of both eras: which of them a client may
 * see, and which the operator has to know of. The SDKs answer their clients
 * with the message of whatever is thrown.
 */

import { StorageError } from "../storage/errors.ts";
import {
  AnonymousOwnerError,
  TaskError,
  TaskStorageError,
} from "../task/errors.ts";
import type { JsonRpcError } from "../task/record.ts";
import { callHost } from "../util/call_host.ts";
import { requireCallback } from "./options.ts";

/** JSON-RPC: the request named something that is not so. */
export const INVALID_PARAMS = -32602;
/** JSON-RPC: the server could not. */
export const INTERNAL_ERROR = -32603;
/** MCP: the request needs what its client has not said it can. */
export const MISSING_CAPABILITY = -32021;

/** An error to answer a request with; the SDK reads `code` and `data`. */
export class RpcError extends Error {
  readonly code: number;
  readonly data?: unknown;

  constructor(
    code: number,
    message: string,
    options: ErrorOptions & { data?: unknown } = {},
  ) {
    super(message, options);
    this.name = "RpcError";
    this.code = code;
    if (options.data !== undefined) this.data = options.data;
  }
}

/** The error for a client that has not declared what the request needs. */
export function missingCapability(
  what: string,
  requiredCapabilities: Readonly<Record<string, unknown>>,
): RpcError {
  return new RpcError(
    MISSING_CAPABILITY,
    `missing required client capability: ${what}`,
    { data: { requiredCapabilities } },
  );
}

/**
 * The protocol error in what a handler threw, if it is one: an error with a
 * JSON-RPC code, as the SDK's `ProtocolError` and `McpError` are. Codes below
 * zero are JSON-RPC's; a `DOMException` or a driver's error has others.
 */
export function protocolErrorOf(thrown: unknown): JsonRpcError | undefined {
  try {
    if (!(thrown instanceof Error)) return undefined;
    const { code, data } = thrown as { code?: unknown; data?: unknown };
    if (!Number.isSafeInteger(code)) return undefined;
    const named = thrown.name === "ProtocolError" || thrown.name === "McpError";
    if (!named && (code as number) >= 0) return undefined;
    return {
      code: code as number,
      message: messageOf(thrown),
      ...(data === undefined ? {} : { data }),
    };
  } catch {
    // A getter of its own has failed: it says no code.
    return undefined;
  }
}

/**
 * Returns the error a client may see: a failure of the storage in one
 * sentence, without the keys, owners and addresses the storage names, which
 * its `cause` has; any other error as it is.
 */
export function toClientError<Thrown>(error: Thrown): Thrown | TaskError {
  if (error instanceof TaskStorageError) {
    const { record } = error;
    return new TaskStorageError(STORAGE_FAILED, { cause: error, record });
  }
  return error instanceof StorageError
    ? new TaskStorageError(STORAGE_FAILED, { cause: error })
    : error;
}

/**
 * Returns the message a client may see of what was thrown. It never throws:
 * there are objects that cannot be made text, and getters that fail.
 */
export function messageOf(thrown: unknown): string {
  try {
    const shown = toClientError(thrown);
    return String(shown instanceof Error ? shown.message : shown);
  } catch {
    return "what was thrown cannot be shown as text";
  }
}

/** Whether a client is shown less of what a handler threw than it says. */
export function isHidden(thrown: unknown): boolean {
  try {
    return toClientError(thrown) !== thrown;
  } catch {
    return false;
  }
}

/** Whether an error says more of the server than of the request. */
export function isServersOwn(error: unknown): boolean {
  return error instanceof StorageError ||
    error instanceof AnonymousOwnerError ||
    error instanceof TaskError && error.code === INTERNAL_ERROR;
}

/** Is called with what clients are not shown. */
export type OnError = ((error: unknown) => void) | undefined;

/** Calls `onError`, which must not make errors of its own. */
export function report(onError: OnError, error: unknown): void {
  // Of an error of its own, there is no one left to tell.
  callHost(() => onError?.(error), () => {});
}

/**
 * Returns a function that calls `onError` and never throws.
 *
 * @throws {TypeError} If it is no function.
 */
export function reporterOf(onError: OnError): (error: unknown) => void {
  requireCallback("onError", onError);
  return (error) => report(onError, error);
}

const STORAGE_FAILED = "the task storage failed";
