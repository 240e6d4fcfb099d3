/**
 * The records of a store as they are stored: sealed where encryption is on,
 * and checked to be their owner's when they are read.
 */

import type { VersionedRecord } from "../storage/record.ts";
import { decodeRecord, encodeRecord, recordText } from "./codec.ts";
import type { TaskRecord } from "./record.ts";
import { requireUnsealed, type Sealer } from "./seal.ts";

/** What a stored record was decoded to, with the name of its latest write. */
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
   * The text of a record.
   *
   * @throws {TypeError} If a field is not what a record has there.
   */
  encode(record: TaskRecord): string | Promise<string> {
    const plain = encodeRecord(record);
    return this.#sealer === undefined
      ? plain
      : this.#sealer.seal(record).then(recordText);
  }

  /**
   * A stored record as its owner may see it, without its lease; `undefined` if
   * it is not theirs.
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
