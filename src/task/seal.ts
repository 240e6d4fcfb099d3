/**
 * Encryption at rest: the private fields of a record are sealed. Its public
 * fields stay readable for the backend and its operator; they and the version
 * are what the sealed part is bound to, so that it can be opened only at the
 * very place it was written to, beside the very fields it was written with. An
 * earlier state put back as a whole is beyond that: it was written so.
 */

import { InvalidDataError } from "../storage/errors.ts";
import type { Keyring, SealKey } from "./keyring.ts";
import { OpenedParts } from "./opened_parts.ts";
import type { Task, TaskRecord } from "./record.ts";

/** Encryption of a store. */
export interface EncryptionOptions {
  /**
   * The first writes; all of them read, so that keys can be rotated. One key is
   * good for 4 billion writes: its nonces are random.
   */
  readonly keys: readonly SealKey[];
  /**
   * Whether records that are not sealed may be read, as while encryption is
   * being introduced. Default: `false`, so that no one who can write to the
   * storage can pass a record off as ours.
   */
  readonly allowUnsealed?: boolean;
}

/** The private fields of a record but for the status message of its task. */
const PRIVATE_FIELDS = [
  "variables",
  "result",
  "error",
  "inputRequests",
  "inputResponses",
] as const;

/** Seals and opens records. */
export class Sealer {
  readonly #keyring: Keyring;
  readonly #allowUnsealed: boolean;
  readonly #opened = new OpenedParts();

  /** @param allowUnsealed Whether records that are not sealed may be read. */
  constructor(keyring: Keyring, allowUnsealed: boolean) {
    this.#keyring = keyring;
    this.#allowUnsealed = allowUnsealed;
  }

  /**
   * Returns the text of a record as it is stored at a version: the private
   * fields of it as `sealed`.
   */
  async seal(record: TaskRecord, version: number): Promise<string> {
    const secret: Record<string, unknown> = {
      statusMessage: record.task.statusMessage,
    };
    for (const name of PRIVATE_FIELDS) secret[name] = record[name];
    const open = JSON.stringify(publicFields(record));
    const text = JSON.stringify(secret);
    const context = contextOf(open, version);
    const sealed = await this.#keyring.encrypt(text, context);
    this.#opened.set(nameOf(record), { sealed, context, secret: text });
    // Other programs expect the two fields every record has.
    return `${
      open.slice(0, -1)
    },"variables":{},"result":null,"sealed":"${sealed}"}`;
  }

  /**
   * Returns the record as it was before it was sealed. Of its private fields,
   * none is taken from beside the sealed part.
   *
   * @throws {InvalidDataError} If no key opens it, or anything of it was
   * tampered with.
   */
  async open(key: string, record: TaskRecord): Promise<TaskRecord> {
    const { sealed } = record as TaskRecord & { sealed?: unknown };
    if (sealed === undefined) {
      if (this.#allowUnsealed) return record;
      throw new InvalidDataError(
        key,
        "sealed is missing: expected an encrypted record (allowUnsealed reads others)",
      );
    }
    const fields = publicFields(record);
    const { version, etag } = record;
    const context = contextOf(JSON.stringify(fields), version);
    const secret = typeof sealed === "string"
      ? await this.#decrypt(nameOf(record), sealed, context)
      : undefined;
    if (secret === undefined) {
      throw new InvalidDataError(
        key,
        "sealed cannot be opened: none of the keys fits, or the record was tampered with",
      );
    }
    const { statusMessage, ...opened } = JSON.parse(secret);
    if (statusMessage !== undefined) {
      (fields.task as { statusMessage?: string }).statusMessage = statusMessage;
    }
    return Object.assign(fields, opened, { version, etag });
  }

  async #decrypt(
    record: string,
    sealed: string,
    context: string,
  ): Promise<string | undefined> {
    const opened = this.#opened.get(record, sealed, context);
    if (opened !== undefined) return opened;
    const secret = await this.#keyring.decrypt(sealed, context);
    if (secret !== undefined) {
      this.#opened.set(record, { sealed, context, secret });
    }
    return secret;
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

/** Copies what anyone may read of a record, and is part of its text. */
function publicFields(record: TaskRecord): { task: Task } {
  const { statusMessage: _, ...task } = record.task;
  const { version: __, etag: ___, lease: ____, ...fields } = record;
  const open: Record<string, unknown> = { ...fields, task };
  for (const name of PRIVATE_FIELDS) delete open[name];
  delete open.sealed;
  return open as { task: Task };
}

function nameOf({ ownerId, task }: TaskRecord): string {
  return `${ownerId}\n${task.taskId}`;
}

function contextOf(publicFields: string, version: number): string {
  return `record 2\n${version}\n${publicFields}`;
}
