/**
 * The records of a store as they are stored: sealed where encryption is on,
 * and checked to be their owner's when they are read.
 */

import { parseKey } from "../storage/keys.ts";
import type { VersionedRecord } from "../storage/record.ts";
import { decodeRecord, encodeRecord, requireWritable } from "./codec.ts";
import type { TaskRecord } from "./record.ts";
import { requireUnsealed, type Sealer } from "./seal.ts";

/** A decoded record, with the name of its latest write. */
export interface DecodedRecord {
  readonly etag: string;
  readonly record: TaskRecord | undefined | Promise<TaskRecord>;
}

/** Writes and reads the text of records. */
export class RecordCodec {
  readonly #sealer: Sealer | undefined;

  constructor(sealer: Sealer | undefined) {
    this.#sealer = sealer;
  }

  /**
   * Returns the text of a record.
   *
   * @param version The version it is written as.
   * @throws {TypeError} If a field is not what a record has there.
   */
  encode(record: TaskRecord, version: number): string | Promise<string> {
    if (this.#sealer === undefined) return encodeRecord(record);
    requireWritable(record);
    return this.#sealer.seal(record, version);
  }

  /**
   * Returns what names the task in a stored record, and no other task of its
   * id. What is not of this library has no such name: `""`.
   *
   * @throws {InvalidDataError} If it is damaged or cannot be opened.
   */
  async lifeOf(key: string, stored: VersionedRecord): Promise<string> {
    if (!stored.data.startsWith("{")) return "";
    const { owner } = parseKey(key);
    const record = await this.decode(key, owner, stored);
    return record?.runId ?? record?.task.createdAt ?? "";
  }

  /**
   * Returns a stored record as its owner may see it, without its lease;
   * `undefined` if it is not theirs.
   *
   * @throws {InvalidDataError} If it is damaged or cannot be opened.
   */
  decode(
    key: string,
    owner: string,
    stored: VersionedRecord,
  ): DecodedRecord["record"] {
    const record = decodeRecord(key, stored);
    // The key decides who owns a record; that it says so too is a second lock.
    const isTheirs = record.ownerId === owner &&
      record.task.taskId === key.slice(key.indexOf(":") + 1);
    if (!isTheirs) return undefined;
    return this.#sealer === undefined
      ? requireUnsealed(key, record)
      : this.#sealer.open(key, record);
  }
}
