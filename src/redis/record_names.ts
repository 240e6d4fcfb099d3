/** The names of one record in Redis: its keys and its channel. */

import type { KeyParts } from "../storage/keys.ts";
import type { KeySchema } from "./key_schema.ts";
import type { RECORD_KEYS } from "./lua/record_script.ts";

/** The names of one record in Redis, each made when it is asked for. */
export class RecordNames implements Record<typeof RECORD_KEYS[number], string> {
  readonly #schema: KeySchema;
  readonly #owner: string;
  readonly task: string;
  readonly record: string;

  constructor(schema: KeySchema, { owner, task }: KeyParts) {
    this.#schema = schema;
    this.#owner = owner;
    this.task = task;
    this.record = schema.record(owner, task);
  }

  get created_index(): string {
    return this.#schema.createdIndex(this.#owner);
  }

  get expiry_index(): string {
    return this.#schema.expiryIndex(this.#owner);
  }

  get active_index(): string {
    return this.#schema.activeIndex(this.#owner);
  }

  get gone(): string {
    return this.#schema.gone(this.#owner, this.task);
  }

  get channel(): string {
    return this.#schema.events(this.#owner, this.task);
  }
}
