/**
 * The owners of tasks, for both eras: people and accounts, as their tokens
 * name them, and never the client application they use.
 *
 * @module
 */

import { ANONYMOUS } from "../task/anonymous.ts";
import { TaskError } from "../task/errors.ts";
import { isWellFormed } from "../util/well_formed.ts";
import { INTERNAL_ERROR, protocolErrorOf } from "./client_errors.ts";
import { requireName } from "./options.ts";

/** The verified token of a request, as both SDKs hand it on. */
export interface AuthInfoLike {
  /** The access token. */
  readonly token: string;
  /**
   * The client application the token was issued to. Everyone who uses it has
   * the same one: it is no owner.
   */
  readonly clientId: string;
  /** The scopes of the token. */
  readonly scopes: readonly string[];
  /** When the token expires, in epoch seconds. */
  readonly expiresAt?: number;
  /** Additions of the token's verifier, such as the user. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/**
 * Returns the owner whose tasks a verified token may make and see: the subject
 * of the token, `extra.sub`, and in front of it the issuer, `extra.iss`, where
 * there is one. Two issuers may have one subject; it is not one person.
 *
 * The verifier of your tokens has to put both there, from the claims of a JWT
 * or the answer of an introspection. There is no fallback to `clientId`: that
 * is the application, and all who use it would read each other's tasks. For
 * tokens of applications that act for themselves (client credentials), whose
 * subject is the application, say so in a function of your own.
 *
 * @returns The subject, or `<issuer>#<subject>`. In both parts `%` and `#` are
 * written `%25` and `%23`, so that no two pairs make one owner; the subject
 * `local`, which is the name of tasks without an owner, is `%6Cocal`.
 * @throws {TypeError} If there is no token, its subject is missing, empty or
 * the client itself, or its issuer is not a text.
 *
 * @example The owner of a token
 * ```ts
 * import { ownerOf } from "@mcp-tasks/redis";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const token = { token: "…", clientId: "inspector", scopes: [] };
 * const extra = { iss: "https://idp.example", sub: "auth0|7" };
 *
 * assertEquals(ownerOf({ ...token, extra }), "https://idp.example#auth0|7");
 * assertThrows(() => ownerOf(token), TypeError, "no subject");
 * ```
 */
export function ownerOf(authInfo: AuthInfoLike | undefined): string {
  if (authInfo === undefined || authInfo === null) {
    throw new TypeError(
      "the request has no authInfo: expected a verified token",
    );
  }
  const { clientId, extra: { iss, sub } = {} } = authInfo;
  if (typeof sub !== "string" || sub === "") {
    throw new TypeError(
      `the token has no subject: extra.sub is ${
        sub === "" ? "empty" : typeof sub
      }, expected who the token was issued for (clientId is the application)`,
    );
  }
  if (sub === clientId) {
    throw new TypeError(
      "the subject of the token is its client: expected a person or account",
    );
  }
  if (iss === undefined) {
    return sub === ANONYMOUS ? NAMED_AS_NO_ONE : escape(sub);
  }
  if (typeof iss !== "string" || iss === "") {
    throw new TypeError(
      `the issuer of the token, extra.iss, is ${
        iss === "" ? "empty" : typeof iss
      }: expected a text, or none`,
    );
  }
  return `${escape(iss)}#${escape(sub)}`;
}

/** A subject of the name that tasks of no one are kept under, escaped. */
const NAMED_AS_NO_ONE = `%6C${ANONYMOUS.slice(1)}`;

/** Marks `#`, which ends the issuer, where it is a part of the text. */
function escape(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("#", "%23");
}

/**
 * Asks the host for the owner of a request.
 *
 * @throws Errors with a JSON-RPC code as they are: they are for the client.
 * @throws {TaskError} In place of all others, which are its cause.
 */
export async function resolveOwner<Context>(
  owner: (ctx: Context) => string | Promise<string>,
  ctx: Context,
): Promise<string> {
  try {
    return requireOwner(await owner(ctx));
  } catch (cause) {
    return throwOwnerError(cause);
  }
}

/**
 * Returns what the host has named as an owner.
 *
 * @throws {TypeError} If it cannot be one.
 */
export function requireOwner(found: unknown): string {
  if (typeof found !== "string") {
    const kind = found === null ? "null" : typeof found;
    throw new TypeError(`the owner is ${kind}: expected a string`);
  }
  if (!isWellFormed(found)) {
    throw new TypeError(
      `the owner ${JSON.stringify(found)} has a lone surrogate: expected text`,
    );
  }
  requireSomeone("the owner", found);
  return found;
}

/**
 * Throws unless the value can be who is authenticated.
 *
 * @throws {TypeError} If it is empty, not a text, or the name of no one.
 */
export function requireIdentity(identity: unknown): asserts identity is string {
  // A missing identity must never fall back to anything: it would be a way in.
  requireName("identity", identity, "the authenticated identity");
  requireSomeone("identity", identity);
}

/** Refuses the name that tasks of no one are kept under: they are no user's. */
function requireSomeone(name: string, owner: string): void {
  if (owner !== ANONYMOUS) return;
  throw new TypeError(
    `${name} is "${ANONYMOUS}", the name of tasks without an owner: expected another one`,
  );
}

/** Throws what a client may see of an error of the host's own code. */
export function throwOwnerError(cause: unknown): never {
  if (protocolErrorOf(cause)) throw cause;
  throw new TaskError(
    INTERNAL_ERROR,
    "the owner of the call could not be determined",
    { cause },
  );
}
