/** What of a call is known before it starts, for one worker. */

import type { ExpectedRecord, WriteOptions } from "../../src/storage/record.ts";
import type { Answer, Call, Expected } from "./calls.ts";
import { type Asked, type Recorder, tokenOf } from "./recorder.ts";

/** See the module. */
export class CallMaker {
  readonly recorder: Recorder;
  /** The task call the next ones are parts of. */
  parent: Call | undefined;
  readonly #instance: number;
  readonly #durable: boolean;

  constructor(recorder: Recorder, instance: number, durable: boolean) {
    this.recorder = recorder;
    this.#instance = instance;
    this.#durable = durable;
  }

  /** What every call has. */
  asked(operation: Call["operation"], key: string): Asked {
    return {
      instance: this.#instance,
      durable: this.#durable,
      operation,
      key,
      id: "",
      token: "",
      parent: this.parent,
    };
  }

  /** What every write of a record has; names it where its caller does not. */
  write<T extends WriteOptions>(
    operation: Call["operation"],
    key: string,
    data: string,
    meta: T,
  ): { asked: Asked; options: T } {
    const id = meta.operationId ?? this.recorder.newName();
    const hasMeta = "expiresAt" in meta || "createdAt" in meta ||
      "active" in meta;
    const asked: Asked = {
      ...this.asked(operation, key),
      id,
      token: tokenOf(data),
      active: meta.active ?? false,
      expiresAt: hasMeta ? meta.expiresAt : null,
    };
    return { asked, options: { ...meta, operationId: id } };
  }
}

/** What a caller expects, with an empty etag for any. */
export function expectedOf(expected: ExpectedRecord): Expected {
  return typeof expected === "number"
    ? { version: expected, etag: "" }
    : { version: expected.version, etag: expected.etag ?? "" };
}

/** The answer of a write. */
export function version(version: number): Answer {
  return { is: "version", version };
}

/** The answer of a call that says no more. */
export function done(): Answer {
  return { is: "done" };
}
