/**
 * The calls that read and write one record: which script, with which keys and
 * arguments, and what its answer means. `RedisBackend` and `RedisLeases` run
 * them.
 */

import type { PutIfVersionOptions, RecordMeta } from "../storage/record.ts";
import type { CheckedWrite } from "../storage/checks.ts";
import {
  CapacityExceededError,
  VersionConflictError,
} from "../storage/errors.ts";
import { type KeyParts, splitKey } from "../storage/keys.ts";
import type { LeaseRequest } from "../storage/leases.ts";
import {
  type Attempt,
  type ScriptCall,
  UNDECIDED,
} from "./executor/script_call.ts";
import { writeScriptInput } from "./executor/script.ts";
import type { KeySchema } from "./key_schema.ts";
import { LUA_CREATE } from "./lua/create.ts";
import { LUA_DELETE } from "./lua/delete.ts";
import { LUA_GET, RECORD_FIELDS } from "./lua/get.ts";
import { LUA_PUT } from "./lua/put.ts";
import { LUA_PUT_IF_VERSION } from "./lua/put_if_version.ts";
import type { RECORD_KEYS } from "./lua/record_script.ts";
import { REPLY } from "./lua/reply.ts";
import { LUA_UPDATE } from "./lua/update.ts";
import type { RedisContext } from "./redis_context.ts";
import {
  readAnswer,
  readRecord,
  type RecordFields,
  type StoredRecord,
} from "./replies.ts";

/** The record a conditional write expects, checked. */
export interface Expected {
  readonly version: number;
  /** Empty: any. */
  readonly etag: string;
  /** The caller's further knowledge of the record as it is. */
  readonly meta?: RecordMeta | undefined;
}

/** The condition of a write on a lease. */
export interface LeaseRule {
  readonly fence: number;
  readonly rule: "holds" | "releases" | "lapsed";
}

/** One write of a record, checked. */
export interface RecordWrite extends CheckedWrite {
  readonly key: string;
  readonly parts: KeyParts;
  readonly data: string;
}

/** The names of one record in Redis, each made when it is asked for. */
class RecordNames implements Record<typeof RECORD_KEYS[number], string> {
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

/** Makes the calls of one backend. */
export class RecordCalls {
  readonly #schema: KeySchema;
  readonly #context: RedisContext;

  constructor(context: RedisContext) {
    this.#context = context;
    this.#schema = context.schema;
  }

  /** Reads the live record; a plain command, unless its expiry is in doubt. */
  read(key: string): ScriptCall<StoredRecord | undefined> {
    const { owner, task } = splitKey(key);
    const record = this.#schema.record(owner, task);
    return {
      what: () => `get ${JSON.stringify(key)}`,
      key,
      route: record,
      kind: "read",
      write: (words) => void words.push("HMGET", record, ...RECORD_FIELDS),
      decode: (answer) => {
        const { clock } = this.#context;
        const found = readRecord(key, answer as RecordFields, clock);
        return found === "doubt" ? UNDECIDED : found;
      },
      otherwise: () => this.#readInDoubt(key, record),
    };
  }

  /** Reads the record where only the server can say whether it is live. */
  #readInDoubt(
    key: string,
    record: string,
  ): ScriptCall<StoredRecord | undefined> {
    return {
      what: () => `get ${JSON.stringify(key)}`,
      key,
      route: record,
      script: LUA_GET,
      kind: "read",
      write: (words) =>
        writeScriptInput(words, LUA_GET, { keys: { record }, args: {} }),
      decode: (answer) => {
        const fields = answer as RecordFields;
        if (fields.length === 0) return undefined;
        // The server has decided: no clock of ours doubts it again.
        const found = readRecord(key, fields, NEVER_LATER);
        return found === "doubt" ? undefined : found;
      },
    };
  }

  /** Writes a record whatever is stored. */
  put(write: RecordWrite): ScriptCall<number> {
    const names = new RecordNames(this.#schema, write.parts);
    const args = writeArgs(write, names);
    return {
      what: () => `put ${JSON.stringify(write.key)}`,
      key: write.key,
      route: names.record,
      script: LUA_PUT,
      kind: "idempotent",
      isDurable: true,
      write: (words, attempt) =>
        writeScriptInput(words, LUA_PUT, {
          keys: names,
          args: { ...args, ...this.#perTry(attempt) },
        }),
      decode: (answer) => Number(readAnswer(write.key, answer).values[0]),
      versionOf: (version) => version,
    };
  }

  /** Writes a record if it is the expected one. */
  putIfVersion(
    write: RecordWrite,
    expected: Expected,
    lease?: LeaseRule,
  ): ScriptCall<number> {
    const names = new RecordNames(this.#schema, write.parts);
    return this.#update(write, expected, lease, names) ??
      this.#compareAndSwap(write, expected, lease, names);
  }

  #compareAndSwap(
    write: RecordWrite,
    { version, etag }: Expected,
    lease: LeaseRule | undefined,
    names: RecordNames,
  ): ScriptCall<number> {
    const { key } = write;
    const args = {
      ...writeArgs(write, names),
      expected: etag === "" ? `${version}.` : `${version}.${etag} `,
      fence: lease === undefined ? "" : String(lease.fence),
      lease_rule: lease?.rule ?? "",
    };
    return {
      what: () => `putIfVersion ${JSON.stringify(key)} at version ${version}`,
      key,
      route: names.record,
      script: LUA_PUT_IF_VERSION,
      kind: "idempotent",
      isDurable: true,
      write: (words, attempt) =>
        writeScriptInput(words, LUA_PUT_IF_VERSION, {
          keys: names,
          args: { ...args, ...this.#perTry(attempt) },
        }),
      decode: (answer) => {
        const { code, values } = readAnswer(key, answer, lease?.fence);
        if (code === REPLY.conflict) {
          throw new VersionConflictError(key, version, Number(values[0]));
        }
        return Number(values[0]);
      },
      versionOf: (made) => made,
    };
  }

  /** The shortest way to the same, where enough is known of the record. */
  #update(
    write: RecordWrite,
    expected: Expected,
    lease: LeaseRule | undefined,
    names: RecordNames,
  ): ScriptCall<number> | undefined {
    const { key, data, active, createdAt, expiresAt, operationId } = write;
    const { version, etag, meta } = expected;
    const { clock } = this.#context;
    if (
      etag === "" || createdAt === undefined || lease?.rule === "lapsed" ||
      this.#schema.isShared || version >= Number.MAX_SAFE_INTEGER ||
      (expiresAt !== undefined && expiresAt <= clock.now() + 1000) ||
      (meta !== undefined &&
        (meta.expiresAt !== expiresAt || meta.createdAt !== createdAt ||
          (active && !meta.active)))
    ) return undefined;
    const place = `|${createdAt}|${expiresAt ?? ""}|`;
    const next = String(version + 1);
    const stopsBeingActive = !active && meta?.active !== false;
    const tail = stopsBeingActive ? [names.active_index] : undefined;
    return {
      what: () => `putIfVersion ${JSON.stringify(key)} at version ${version}`,
      key,
      route: names.record,
      script: LUA_UPDATE,
      kind: "idempotent",
      isDurable: true,
      write: (words, { checksPermissions }) =>
        writeScriptInput(words, LUA_UPDATE, {
          keys: { record: names.record },
          ...(tail === undefined ? {} : { tail }),
          args: {
            data,
            channel: names.channel,
            old: `${place}${version}.${etag} `,
            new: `${
              active ? 1 : 0
            }${place}${next}.${operationId} ${version}.${etag} `,
            version: next,
            now: String(Math.ceil(clock.now() / 1000) + 1),
            task: tail === undefined ? "" : names.task,
            fence: lease === undefined ? "" : String(lease.fence),
            lease_rule: lease?.rule ?? "",
            mode: checksPermissions ? "p" : "",
          },
        }),
      decode: (answer) => {
        if (!Array.isArray(answer)) return version + 1;
        throw new VersionConflictError(key, version, Number(answer[1]));
      },
      versionOf: (made) => made,
      otherwise: () => this.#compareAndSwap(write, expected, lease, names),
    };
  }

  /** Writes a record that must not exist, under a lease if there is one. */
  create(
    write: RecordWrite,
    maxRecords: number | undefined,
    maxActive: number | undefined,
    lease?: LeaseRequest,
  ): ScriptCall<number> {
    const { key } = write;
    const names = new RecordNames(this.#schema, write.parts);
    const args = {
      ...writeArgs(write, names),
      max_records: maxRecords === undefined ? "" : String(maxRecords),
      max_active: maxActive === undefined ? "" : String(maxActive),
      holder: lease?.holder ?? "",
      for_ms: lease === undefined ? "" : String(lease.forMs),
    };
    return {
      what: () => `create ${JSON.stringify(key)}`,
      key,
      route: names.record,
      script: LUA_CREATE,
      kind: "idempotent",
      isDurable: true,
      write: (words, attempt) =>
        writeScriptInput(words, LUA_CREATE, {
          keys: names,
          args: { ...args, ...this.#perTry(attempt) },
        }),
      decode: (answer) => {
        const { code, values } = readAnswer(key, answer);
        const value = Number(values[0]);
        if (code === REPLY.conflict) {
          throw new VersionConflictError(key, 0, value);
        }
        if (code === REPLY.full) {
          throw new CapacityExceededError(key, "records", maxRecords!, value);
        }
        if (code === REPLY.activeFull) {
          throw new CapacityExceededError(key, "active", maxActive!, value);
        }
        return value;
      },
      versionOf: () => 1,
    };
  }

  /** Deletes a record. */
  delete(
    key: string,
    operationId: string,
    expected: Expected | undefined,
  ): ScriptCall<boolean> {
    const names = new RecordNames(this.#schema, splitKey(key));
    return {
      what: () => `delete ${JSON.stringify(key)}`,
      key,
      route: names.record,
      script: LUA_DELETE,
      kind: "idempotent",
      isDurable: true,
      hasWritten: (wasThere) => wasThere,
      write: (words, attempt) =>
        writeScriptInput(words, LUA_DELETE, {
          keys: names,
          args: {
            task: names.task,
            channel: names.channel,
            op: operationId,
            expected: expected === undefined
              ? ""
              : expected.etag === ""
              ? `${expected.version}.`
              : `${expected.version}.${expected.etag} `,
            ...this.#perTry(attempt),
          },
        }),
      decode: (answer) => {
        const { code, values } = readAnswer(key, answer);
        if (code === REPLY.conflict) {
          throw new VersionConflictError(
            key,
            expected?.version ?? 0,
            Number(values[0]),
          );
        }
        return values[0] === 1;
      },
    };
  }

  #perTry(
    { isRetry, checksPermissions, deadlineMs }: Attempt,
  ): { deadline_ms: string; mode: string } {
    return {
      deadline_ms: deadlineMs,
      mode: (isRetry ? "r" : "") + (checksPermissions ? "p" : "") +
        (this.#schema.isShared ? "k" : ""),
    };
  }
}

/** Reads the lease rule from the options of a `putIfVersion`. */
export function leaseRuleOf(
  { fence, releaseLease }: PutIfVersionOptions,
): LeaseRule | undefined {
  return fence === undefined
    ? undefined
    : { fence, rule: releaseLease ? "releases" : "holds" };
}

/** The arguments that all scripts that write one record share. */
function writeArgs(
  { data, active, createdAt, expiresAt, operationId }: RecordWrite,
  { task, channel }: RecordNames,
) {
  const expires_ms = expiresAt === undefined ? "" : String(expiresAt);
  return {
    task,
    data,
    want: `${active ? 1 : 0}|${createdAt ?? ""}|${expires_ms}|`,
    expires_ms,
    channel,
    op: operationId,
  };
}

/** A clock that no expiry has passed. */
const NEVER_LATER = { now: () => -Infinity };
