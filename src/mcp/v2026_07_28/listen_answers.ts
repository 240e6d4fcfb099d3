/** The answers to requests to listen that get no stream. */

import {
  INTERNAL_ERROR,
  MISSING_CAPABILITY,
  RpcError,
} from "../client_errors.ts";
import { toRpcError } from "./errors.ts";
import { MAX_BODY_BYTES, MAX_ID_CHARS } from "./subscription_request.ts";

/** The client sees no more than that; which limit it was is for `onError`. */
export class SubscriptionLimitError extends RpcError {
  constructor(which: string) {
    super(INTERNAL_ERROR, "subscription limit reached", {
      cause: new RangeError(which),
    });
    this.name = "SubscriptionLimitError";
  }
}

/** The answer to a request that is refused, in words for its client. */
export function refused(
  id: string | number,
  thrown: unknown,
  onError: (error: unknown) => void,
): Response {
  // An operator can raise the limit, or find out who takes the places.
  if (thrown instanceof SubscriptionLimitError) onError(thrown);
  const shown = toRpcError(thrown, onError);
  const { code = INTERNAL_ERROR, data } = shown as {
    code?: unknown;
    data?: unknown;
  };
  return Response.json(
    errorOf(id, {
      code: Number.isSafeInteger(code) ? code : INTERNAL_ERROR,
      message: shown.message,
      ...(data === undefined ? {} : { data }),
    }),
    // The one error that the protocol gives a status of its own.
    { status: code === MISSING_CAPABILITY ? 400 : 200 },
  );
}

/** The answer to a body that is not read to its end. */
export function tooLarge(): Response {
  return Response.json(
    errorOf(null, {
      code: -32000,
      message:
        `payload too large: a request to listen has at most ${MAX_BODY_BYTES} bytes`,
    }),
    { status: 413 },
  );
}

/** The answer to a body that breaks off. */
export function unreadable(): Response {
  return Response.json(
    errorOf(null, {
      code: -32700,
      message: "parse error: the request body could not be read",
    }),
    { status: 400 },
  );
}

/** The answer to an id that would be kept and sent with every note. */
export function idTooLong(): Response {
  return Response.json(
    errorOf(null, {
      code: -32600,
      message:
        `invalid request: the id of a request to listen has at most ${MAX_ID_CHARS} characters`,
    }),
    { status: 400 },
  );
}

/** Another instance may be there at once. */
export function shuttingDown(id: string | number): Response {
  return Response.json(
    errorOf(id, {
      code: INTERNAL_ERROR,
      message: "the server is shutting down: listen again",
    }),
    { status: 503, headers: { "retry-after": "1" } },
  );
}

function errorOf(id: string | number | null, error: object): object {
  return { jsonrpc: "2.0", id, error };
}
