/**
 * Record keys, `owner:task`. The owner is escaped so that the first `:` always
 * ends it: no owner can name, prefix or collide with another's keys, whatever
 * characters it is made of.
 *
 * @module
 */

import { isWellFormed } from "../util/well_formed.ts";
import { InvalidKeyError } from "./errors.ts";

/** The two parts of a record key. */
export interface KeyParts {
  /** The owner, as it was given to {@linkcode makeKey}. */
  readonly owner: string;
  /** The task id, as it was given to {@linkcode makeKey}. */
  readonly task: string;
}

/**
 * Makes the key of a record.
 *
 * `%`, `:`, `{` and `}` in the owner are percent-escaped; everything else, and
 * the whole task id, stays as it is.
 *
 * @param owner Who the record belongs to, any non-empty string.
 * @param task The task id, any non-empty string.
 * @returns The key, for every operation of a `StorageBackend`.
 * @throws {InvalidKeyError} If either is empty or has a lone surrogate.
 *
 * @example Owners are real identities
 * ```ts
 * import { makeKey } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(makeKey("auth0|7", "t-1"), "auth0|7:t-1");
 * assertEquals(makeKey("urn:bob", "t-1"), "urn%3Abob:t-1");
 * ```
 */
export function makeKey(owner: string, task: string): string {
  requireText("task id", task);
  return makePrefix(owner) + task;
}

/**
 * Makes the prefix of all of an owner's keys, for `listByPrefix` and
 * `listPage`.
 *
 * @param owner Who the records belong to, any non-empty string.
 * @returns The escaped owner and a `:`.
 * @throws {InvalidKeyError} If it is empty or has a lone surrogate.
 *
 * @example One owner is never the prefix of another
 * ```ts
 * import { makeKey, makePrefix } from "@mcp-tasks/redis";
 * import { assert } from "@std/assert";
 *
 * assert(!makeKey("urn:bob", "t-1").startsWith(makePrefix("urn")));
 * ```
 */
export function makePrefix(owner: string): string {
  requireText("owner", owner);
  return owner.replace(/[%:{}]/g, percentEncode) + ":";
}

/**
 * Takes a key apart; the inverse of {@linkcode makeKey}.
 *
 * @param key A key made by {@linkcode makeKey}.
 * @returns Its owner, unescaped, and its task id.
 * @throws {InvalidKeyError} If it has no `:`, an empty part, or an owner that
 * `makeKey` would have written otherwise.
 *
 * @example
 * ```ts
 * import { makeKey, parseKey } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * const key = makeKey("urn:bob", "t:1");
 * assertEquals(parseKey(key), { owner: "urn:bob", task: "t:1" });
 * ```
 */
export function parseKey(key: string): KeyParts {
  const { owner, task } = splitKey(key);
  return {
    owner: owner.replace(/%(25|3A|7B|7D)/g, decodeURIComponent),
    task,
  };
}

/** Splits a key and leaves the owner escaped, as the engines store it. */
export function splitKey(key: string): KeyParts {
  requireText("key", key);
  const colon = key.indexOf(":");
  if (colon < 0) {
    throw new InvalidKeyError(
      `key ${
        JSON.stringify(key)
      } has no ":": expected "owner:task" as makeKey() makes it`,
    );
  }
  const owner = requireEscaped(key.slice(0, colon));
  const task = key.slice(colon + 1);
  if (task === "") {
    throw new InvalidKeyError(
      `key ${JSON.stringify(key)} has an empty task id`,
    );
  }
  return { owner, task };
}

/** Reads the owner out of a prefix and leaves it escaped. */
export function splitPrefix(prefix: string): string {
  requireText("prefix", prefix);
  if (prefix.indexOf(":") !== prefix.length - 1) {
    throw new InvalidKeyError(
      `prefix ${
        JSON.stringify(prefix)
      } is not of the form "owner:": expected one ":", at its end, as makePrefix() makes it`,
    );
  }
  return requireEscaped(prefix.slice(0, -1));
}

/** Only what `makePrefix` writes: two spellings of one owner are two owners. */
function requireEscaped(owner: string): string {
  if (owner === "") throw new InvalidKeyError("the owner is empty");
  if (/[{}]|%(?!25|3A|7B|7D)/.test(owner)) {
    throw new InvalidKeyError(
      `owner ${
        JSON.stringify(owner)
      } is not escaped: make keys with makeKey() and prefixes with makePrefix()`,
    );
  }
  return owner;
}

function requireText(what: string, text: string): void {
  if (typeof text !== "string" || text === "") {
    throw new InvalidKeyError(
      `the ${what} is ${
        text === "" ? "empty" : typeof text
      }: expected a non-empty string`,
    );
  }
  if (!isWellFormed(text)) {
    throw new InvalidKeyError(
      `the ${what} ${
        JSON.stringify(text)
      } has a lone surrogate, which UTF-8 cannot represent`,
    );
  }
}

function percentEncode(char: string): string {
  return "%" + char.charCodeAt(0).toString(16).toUpperCase();
}
