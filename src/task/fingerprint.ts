/** Fingerprints tell two requests under one chosen task id apart. */

import { encodeBase64Url } from "../util/base64url.ts";
import type { Keyring } from "./keyring.ts";

/**
 * Makes and compares the fingerprints of requests, which are stored in clear.
 * With keys they are keyed: a request of few possible contents could be found
 * by trying otherwise. They then differ by owner and task, too.
 */
export class Fingerprints {
  readonly #keyring: Keyring | undefined;
  readonly #allowUnkeyed: boolean;

  /** @param allowUnkeyed Whether a fingerprint made without a key counts. */
  constructor(keyring: Keyring | undefined, allowUnkeyed: boolean) {
    this.#keyring = keyring;
    this.#allowUnkeyed = allowUnkeyed;
  }

  /** Computes the fingerprint of a new task's request. */
  async of(owner: string, taskId: string, request: unknown): Promise<string> {
    const [first] = await this.#all(owner, taskId, request);
    return first!;
  }

  /**
   * Whether a fingerprint is of a request: under any of the keys, since an
   * earlier one may have made it.
   */
  async matches(
    fingerprint: string,
    owner: string,
    taskId: string,
    request: unknown,
  ): Promise<boolean> {
    return (await this.#all(owner, taskId, request)).includes(fingerprint);
  }

  async #all(
    owner: string,
    taskId: string,
    request: unknown,
  ): Promise<string[]> {
    const text = canonicalText(request);
    if (this.#keyring === undefined) return [await digestOf(text)];
    const place = JSON.stringify([owner, taskId]);
    const macs = await this.#keyring.macs(`request\n${place}\n${text}`);
    return this.#allowUnkeyed ? [...macs, await digestOf(text)] : macs;
  }
}

/** Returns the JSON of a value; the order of an object's fields says nothing. */
function canonicalText(request: unknown): string {
  return JSON.stringify(
    request,
    (_, value) => isPlainObject(value) ? sortFields(value) : value,
  );
}

async function digestOf(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
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
