/**
 * The keys of a store: the first encrypts with AES-256-GCM, all of them
 * decrypt. What is encrypted is bound to a context, which is not stored with
 * it: in any other context it cannot be decrypted.
 */

import { decodeBase64Url, encodeBase64Url } from "../util/base64url.ts";

/** A `CryptoKey` of Web Crypto, by its shape: not every runtime names the type. */
export interface SealCryptoKey {
  /** `"secret"`. */
  readonly type: string;
  /** AES-GCM, 256 bits. */
  readonly algorithm: object;
  /** Whether it can be exported; it need not be. */
  readonly extractable: boolean;
  /** `"encrypt"` and `"decrypt"`. */
  readonly usages: readonly string[];
}

/** A key: 32 bytes, the same in base64url, or an AES-GCM `CryptoKey`. */
export type SealKey = Uint8Array | string | SealCryptoKey;

type ImportedKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const IV_BYTES = 12;

/** What was encrypted is text: a U+FEFF at its start is a part of it. */
const UTF8 = { ignoreBOM: true, fatal: true };

/** Of what each key encrypts to its HMAC key; no text is encrypted so. */
const MAC_IV = new TextEncoder().encode("mcp-task-mac");
const MAC_KEY_BYTES = 32;

/** Encrypts, decrypts and authenticates text. */
export class Keyring {
  readonly #keys: readonly Promise<ImportedKey>[];
  #macKeys: Promise<readonly ImportedKey[]> | undefined;

  /** @throws {TypeError} If a key is not 256 bits, or there is none. */
  constructor(keys: readonly SealKey[]) {
    if (!Array.isArray(keys) || keys.length === 0) {
      throw new TypeError("encryption.keys has none: expected a list of keys");
    }
    this.#keys = keys.map(importKey);
  }

  /**
   * Encrypts text, never twice to the same.
   *
   * @param context The text it is bound to.
   * @returns Base64url.
   */
  async encrypt(text: string, context: string): Promise<string> {
    const encoder = new TextEncoder();
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const cipher = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData: encoder.encode(context) },
      await this.#keys[0]!,
      encoder.encode(text),
    );
    const sealed = new Uint8Array(IV_BYTES + cipher.byteLength);
    sealed.set(iv);
    sealed.set(new Uint8Array(cipher), IV_BYTES);
    return encodeBase64Url(sealed);
  }

  /**
   * Decrypts what `encrypt` returned; `undefined` if no key of these encrypted
   * it in this context.
   */
  async decrypt(sealed: string, context: string): Promise<string | undefined> {
    const bytes = decodeBase64Url(sealed);
    if (bytes === undefined) return undefined;
    const algorithm = {
      name: "AES-GCM",
      iv: bytes.subarray(0, IV_BYTES),
      additionalData: new TextEncoder().encode(context),
    };
    const cipher = bytes.subarray(IV_BYTES);
    for (const key of this.#keys) {
      try {
        const plain = await crypto.subtle.decrypt(algorithm, await key, cipher);
        return new TextDecoder("utf-8", UTF8).decode(plain);
      } catch {
        // Another key may have encrypted it.
      }
    }
    return undefined;
  }

  /**
   * Computes the HMAC-SHA-256 of text under every key, the first one's first.
   * Keys that may not encrypt have none.
   */
  async macs(text: string): Promise<string[]> {
    const bytes = new TextEncoder().encode(text);
    const keys = await (this.#macKeys ??= deriveMacKeys(this.#keys));
    return await Promise.all(keys.map(async (key) => {
      const mac = await crypto.subtle.sign("HMAC", key, bytes);
      return encodeBase64Url(new Uint8Array(mac));
    }));
  }
}

/**
 * Derives a key for HMAC from each key. A key stream of AES under a nonce of
 * its own is random to all who have not the key, and needs no other usage of a
 * `CryptoKey` than `encrypt`.
 */
async function deriveMacKeys(
  keys: readonly Promise<ImportedKey>[],
): Promise<ImportedKey[]> {
  const derived = await Promise.all(keys.map(async (key) => {
    const stream = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv: MAC_IV },
      await key,
      new Uint8Array(MAC_KEY_BYTES),
    ).catch(() => undefined);
    return stream && await crypto.subtle.importKey(
      "raw",
      stream.slice(0, MAC_KEY_BYTES),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
  }));
  return derived.filter((key) => key !== undefined);
}

/** @throws {TypeError} If it is no key of 256 bits for what it is to do. */
function importKey(key: SealKey, at: number): Promise<ImportedKey> {
  // Only the first key encrypts.
  const usages = at === 0 ? ["encrypt", "decrypt"] : ["decrypt"];
  if (typeof key !== "string" && !(key instanceof Uint8Array)) {
    requireCryptoKey(key, at, usages);
    return Promise.resolve(key as ImportedKey);
  }
  const bytes = typeof key === "string" ? decodeBase64Url(key) : key;
  if (bytes?.length !== 32) {
    throw new TypeError(
      `encryption.keys[${at}] has ${
        bytes?.length ?? "no"
      } bytes: expected 32, as bytes or base64url, or a CryptoKey`,
    );
  }
  return crypto.subtle.importKey(
    "raw",
    Uint8Array.from(bytes),
    "AES-GCM",
    false,
    ["encrypt", "decrypt"],
  );
}

function requireCryptoKey(
  key: SealCryptoKey | undefined | null,
  at: number,
  usages: readonly string[],
): void {
  const { name, length } = (key?.algorithm ?? {}) as {
    name?: unknown;
    length?: unknown;
  };
  const can = Array.isArray(key?.usages) ? key.usages : [];
  const isKey = name === "AES-GCM" && length === 256 &&
    usages.every((usage) => can.includes(usage));
  if (isKey) return;
  throw new TypeError(
    `encryption.keys[${at}] is ${
      name === undefined
        ? "no key"
        : `a CryptoKey of ${name}, ${length} bits, for ${can.join(" and ")}`
    }: expected 32 bytes, as bytes or base64url, or a CryptoKey of AES-GCM, 256 bits, for ${
      usages.join(" and ")
    }`,
  );
}
