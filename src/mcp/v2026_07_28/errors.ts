/** The errors that requests of the extension are answered with. */

import { TaskError } from "../../task/errors.ts";
import {
  INTERNAL_ERROR,
  isServersOwn,
  protocolErrorOf,
  RpcError,
  toClientError,
} from "../client_errors.ts";

/**
 * Returns the error a request is answered with. What has no JSON-RPC code was
 * not made for clients: it goes to `onError` alone, as what the storage said
 * does.
 */
export function toRpcError(
  thrown: unknown,
  onError: (error: unknown) => void,
): TaskError | RpcError | Error {
  const shown = toClientError(thrown);
  const isMeant = shown instanceof TaskError ||
    protocolErrorOf(shown) !== undefined;
  if (!isMeant || isServersOwn(thrown)) onError(thrown);
  return isMeant
    ? shown as Error
    : new RpcError(INTERNAL_ERROR, "the request could not be answered", {
      cause: thrown,
    });
}
