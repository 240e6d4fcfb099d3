/**
 * JSON-RPC errors: those the extension answers with, and telling those a
 * handler throws from all others.
 */

import { TaskError, TaskStorageError } from "../task/errors.ts";
import type { JsonRpcError } from "../task/record.ts";

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
  if (!(thrown instanceof Error)) return undefined;
  const { code, data } = thrown as { code?: unknown; data?: unknown };
  if (!Number.isSafeInteger(code)) return undefined;
  const named = thrown.name === "ProtocolError" || thrown.name === "McpError";
  if (!named && (code as number) >= 0) return undefined;
  const { message } = toClientError(thrown);
  return {
    code: code as number,
    message,
    ...(data === undefined ? {} : { data }),
  };
}

/**
 * The error a client may see. What the storage says names hosts and keys,
 * which are none of a client's business.
 */
export function toClientError(error: unknown): Error {
  if (error instanceof TaskStorageError) {
    return new RpcError(INTERNAL_ERROR, "the task storage failed", {
      cause: error,
    });
  }
  if (error instanceof TaskError || error instanceof RpcError) return error;
  return error instanceof Error ? error : new Error(String(error));
}
