/**
 * Sealed texts beside the records: messages of queues and recorded steps, each
 * bound to where it is kept.
 */

import { checkData } from "../storage/checks.ts";
import { InvalidDataError } from "../storage/errors.ts";
import type { Keyring } from "./keyring.ts";

/** Tells a sealed text from a plain one. */
const PREFIX = "sealed:";

/** Seals and opens texts. */
export class TextSealer {
  readonly #keyring: Keyring;
  readonly #allowUnsealed: boolean;

  /** @param allowUnsealed Whether texts that are not sealed may be read. */
  constructor(keyring: Keyring, allowUnsealed: boolean) {
    this.#keyring = keyring;
    this.#allowUnsealed = allowUnsealed;
  }

  /**
   * Seals a text.
   *
   * @param place Where it is kept: it can be opened for the same place alone.
   * @throws {InvalidDataError} If UTF-8 cannot hold the text.
   */
  async seal(
    key: string,
    place: readonly string[],
    text: string,
  ): Promise<string> {
    // Its size is for the backend to judge, as it is stored.
    checkData(key, text, Infinity);
    return PREFIX + await this.#keyring.encrypt(text, contextOf(key, place));
  }

  /**
   * Opens a text.
   *
   * @throws {InvalidDataError} If no key opens it for this place.
   */
  async open(
    key: string,
    place: readonly string[],
    stored: string,
  ): Promise<string> {
    const isSealed = stored.startsWith(PREFIX);
    if (!isSealed && this.#allowUnsealed) return stored;
    const text = isSealed
      ? await this.#keyring.decrypt(
        stored.slice(PREFIX.length),
        contextOf(key, place),
      )
      : undefined;
    if (text !== undefined) return text;
    throw new InvalidDataError(
      key,
      `the sealed ${
        place.join(" ")
      } cannot be opened: none of the keys fits, or it was tampered with`,
    );
  }
}

function contextOf(key: string, place: readonly string[]): string {
  return `text\n${JSON.stringify([key, ...place])}`;
}
