/** Tells two requests under one chosen task id apart without storing them. */

import { encodeBase64Url } from "../util/base64url.ts";

/** SHA-256 of a JSON value; the order of an object's fields does not matter. */
export async function fingerprintOf(request: unknown): Promise<string> {
  const text = JSON.stringify(
    request,
    (_, value) => isPlainObject(value) ? sortFields(value) : value,
  );
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(text),
  );
  return encodeBase64Url(new Uint8Array(digest));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sortFields(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1),
  );
}
