/**
 * Encryption at rest: what may be private in a record is sealed with
 * AES-256-GCM, bound to its owner and task id, so that a sealed part cannot be
 * moved to another task. What the backend needs stays readable.
 */

import { decodeBase64Url, encodeBase64Url } from "../util/base64url.ts";
import { InvalidDataError } from "../storage/errors.ts";
import type { TaskRecord } from "./record.ts";

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

/** How records are encrypted. */
export interface EncryptionOptions {
  /** The first writes; all of them read, so that keys can be rotated. */
  readonly keys: readonly SealKey[];
  /**
   * Whether records that are not sealed may be read, as while encryption is
   * being introduced. Default: `false`, so that no one who can write to the
   * storage can pass a record off as ours.
   */
  readonly allowUnsealed?: boolean;
}

/** The fields of a record that are sealed; of `task` the status message is. */
const SEALED_FIELDS = [
  "variables",
  "result",
  "error",
  "inputRequests",
  "inputResponses",
] as const;

const IV_BYTES = 12;

/** Seals and opens records. */
export class Sealer {
  readonly #keys: readonly Promise<ImportedKey>[];
  readonly #allowUnsealed: boolean;

  /** @throws {TypeError} If a key is not 256 bits, or there is none. */
  constructor({ keys, allowUnsealed = false }: EncryptionOptions) {
    if (keys.length === 0) {
      throw new TypeError("encryption.keys is empty: expected a key or more");
    }
    this.#keys = keys.map(importKey);
    this.#allowUnsealed = allowUnsealed;
  }

  /** The record as it is stored: the private part of it as `sealed`. */
  async seal(record: TaskRecord): Promise<TaskRecord> {
    const { statusMessage, ...task } = record.task;
    const secret: Record<string, unknown> = { statusMessage };
    for (const field of SEALED_FIELDS) secret[field] = record[field];
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const cipher = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData: boundTo(record) },
      await this.#keys[0]!,
      new TextEncoder().encode(JSON.stringify(secret)),
    );
    const sealed = new Uint8Array(IV_BYTES + cipher.byteLength);
    sealed.set(iv);
    sealed.set(new Uint8Array(cipher), IV_BYTES);
    const open: Record<string, unknown> = { ...record, task };
    for (const field of SEALED_FIELDS) delete open[field];
    return {
      ...open,
      variables: {},
      result: null,
      sealed: encodeBase64Url(sealed),
    } as unknown as TaskRecord;
  }

  /**
   * The record as it was before it was sealed.
   *
   * @throws {InvalidDataError} If no key opens it, or it was tampered with.
   */
  async open(key: string, record: TaskRecord): Promise<TaskRecord> {
    const { sealed, ...open } = record as TaskRecord & { sealed?: unknown };
    if (sealed === undefined) {
      if (this.#allowUnsealed) return record;
      throw new InvalidDataError(
        key,
        "sealed is missing: expected an encrypted record (allowUnsealed reads others)",
      );
    }
    const bytes = typeof sealed === "string"
      ? decodeBase64Url(sealed)
      : undefined;
    const secret = bytes && await this.#decrypt(bytes, record);
    if (secret === undefined) {
      throw new InvalidDataError(
        key,
        "sealed cannot be opened: none of the keys fits, or it was tampered with",
      );
    }
    const { statusMessage, ...fields } = secret;
    const task = statusMessage === undefined
      ? open.task
      : { ...open.task, statusMessage };
    return { ...open, ...fields, task } as TaskRecord;
  }

  async #decrypt(
    bytes: NonNullable<ReturnType<typeof decodeBase64Url>>,
    record: TaskRecord,
  ): Promise<Record<string, unknown> | undefined> {
    for (const key of this.#keys) {
      try {
        const plain = await crypto.subtle.decrypt(
          {
            name: "AES-GCM",
            iv: bytes.slice(0, IV_BYTES),
            additionalData: boundTo(record),
          },
          await key,
          bytes.slice(IV_BYTES),
        );
        return JSON.parse(new TextDecoder().decode(plain));
      } catch {
        // Another key may have written it.
      }
    }
    return undefined;
  }
}

/** Says that a sealed record needs keys, where there are none. */
export function requireUnsealed(key: string, record: TaskRecord): TaskRecord {
  if ((record as { sealed?: unknown }).sealed === undefined) return record;
  throw new InvalidDataError(
    key,
    "the record is sealed: expected a store with encryption.keys",
  );
}

function boundTo({ ownerId, task }: TaskRecord) {
  return new TextEncoder().encode(JSON.stringify([ownerId, task.taskId]));
}

function importKey(key: SealKey): Promise<ImportedKey> {
  if (typeof key !== "string" && !(key instanceof Uint8Array)) {
    return Promise.resolve(key as ImportedKey);
  }
  const bytes = typeof key === "string" ? decodeBase64Url(key) : key;
  if (bytes?.length !== 32) {
    throw new TypeError(
      `an encryption key has ${
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
