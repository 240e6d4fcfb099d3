/**
 * The names of lease holders as they are stored. A lease that has run out fails
 * its task and is named in the failure: where encryption is on, a name is
 * signed, so that who has no key can neither make up a lease nor its name.
 */

import { checkLease } from "../storage/checks.ts";
import { InvalidDataError } from "../storage/errors.ts";
import type { LeaseRequest } from "../storage/leases.ts";
import type { Keyring } from "./keyring.ts";
import { OpenedParts } from "./opened_parts.ts";

/** Between a name and its signature. */
const SEPARATOR = "~";
/** An HMAC-SHA-256 in base64url. */
const SIGNATURE_LENGTH = 43;

/** Signs and checks the names of lease holders. */
export class LeaseHolders {
  readonly #keyring: Keyring | undefined;
  readonly #allowUnsigned: boolean;
  readonly #checked = new OpenedParts(64 * 1024);

  /** @param allowUnsigned Whether a name without a signature counts. */
  constructor(keyring: Keyring | undefined, allowUnsigned: boolean) {
    this.#keyring = keyring;
    this.#allowUnsigned = allowUnsigned;
  }

  /**
   * Returns a request with the name as it is stored.
   *
   * @throws {TypeError} If the name is none.
   */
  async sign(key: string, request: LeaseRequest): Promise<LeaseRequest> {
    if (this.#keyring === undefined) return request;
    checkLease(request);
    const { holder } = request;
    const [signature] = await this.#keyring.macs(contextOf(key, holder));
    return { ...request, holder: holder + SEPARATOR + signature };
  }

  /**
   * Returns the name of a stored one.
   *
   * @throws {InvalidDataError} If no key has signed it for this record.
   */
  async open(key: string, stored: string): Promise<string> {
    if (this.#keyring === undefined) return stored;
    const checked = this.#checked.get(key, stored, "");
    if (checked !== undefined) return checked;
    const end = stored.length - SIGNATURE_LENGTH - SEPARATOR.length;
    const holder = stored.slice(0, Math.max(end, 0));
    const isSigned = stored.startsWith(SEPARATOR, end) &&
      (await this.#keyring.macs(contextOf(key, holder)))
        .includes(stored.slice(end + SEPARATOR.length));
    if (isSigned) {
      this.#checked.set(key, { sealed: stored, context: "", secret: holder });
      return holder;
    }
    if (this.#allowUnsigned) return stored;
    throw new InvalidDataError(
      key,
      "its lease cannot be trusted: none of the keys has signed the holder's name, or the record was tampered with",
    );
  }
}

function contextOf(key: string, holder: string): string {
  return `holder\n${JSON.stringify([key, holder])}`;
}
