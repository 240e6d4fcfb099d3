/**
 * The calls that write one record: which script, with which keys and arguments,
 * and what its answer means. `RecordWrites` runs them.
 */

import type { CheckedExpected, CheckedWrite } from "../storage/checks.ts";
import {
  CapacityExceededError,
  VersionConflictError,
} from "../storage/errors.ts";
import { type KeyParts, splitKey } from "../storage/keys.ts";
import type { LeaseRequest } from "../storage/leases.ts";
import { writeScriptInput } from "./executor/script.ts";
import type { Attempt, ScriptCall } from "./executor/script_call.ts";
import type { KeySchema } from "./key_schema.ts";
import { LUA_CREATE } from "./lua/create.ts";
import { LUA_DELETE } from "./lua/delete.ts";
import { LUA_PUT } from "./lua/put.ts";
import { LUA_PUT_IF_VERSION } from "./lua/put_if_version.ts";
import { REPLY } from "./lua/reply.ts";
import { LUA_UPDATE } from "./lua/update.ts";
import { RecordNames } from "./record_names.ts";
import type { RedisContext } from "./redis_context.ts";
import { readAnswer } from "./replies.ts";

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

/** Makes the calls of one backend that write a record. */
export class RecordCalls {
  readonly #schema: KeySchema;
  readonly #context: RedisContext;

  constructor(context: RedisContext) {
    this.#context = context;
    this.#schema = context.schema;
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
    expected: CheckedExpected,
    lease?: LeaseRule,
  ): ScriptCall<number> {
    const names = new RecordNames(this.#schema, write.parts);
    return this.#update(write, expected, lease, names) ??
      this.#compareAndSwap(write, expected, lease, names);
  }

  #compareAndSwap(
    write: RecordWrite,
    expected: CheckedExpected,
    lease: LeaseRule | undefined,
    names: RecordNames,
  ): ScriptCall<number> {
    const { key } = write;
    const { version } = expected;
    const args = {
      ...writeArgs(write, names),
      expected: newestEntry(expected),
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
    expected: CheckedExpected,
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
    // The expiry of the index may have to be set again.
    if (stopsBeingActive && expiresAt === undefined) return undefined;
    const tail = stopsBeingActive ? [names.active_index] : undefined;
    return {
      what: () => `putIfVersion ${JSON.stringify(key)} at version ${version}`,
      key,
      route: names.record,
      script: LUA_UPDATE,
      kind: "idempotent",
      isDurable: true,
      write: (words, { checksPermissions, deadlineMs }) =>
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
            deadline_ms: deadlineMs,
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

  /**
   * Writes a record that must not exist, under a lease if there is one.
   *
   * @param isRecount Whether a refusal by a quota is what it is tried again for.
   */
  create(
    write: RecordWrite,
    maxRecords: number | undefined,
    maxActive: number | undefined,
    lease?: LeaseRequest,
    isRecount = false,
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
          args: { ...args, ...this.#perTry(attempt, isRecount ? "o" : "") },
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
    expected: CheckedExpected | undefined,
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
            expected: expected === undefined ? "" : newestEntry(expected),
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
    more = "",
  ): { deadline_ms: string; mode: string } {
    return {
      deadline_ms: deadlineMs,
      mode: (isRetry ? "r" : "") + (checksPermissions ? "p" : "") +
        (this.#schema.isShared ? "k" : "") + more,
    };
  }
}

/** The text that the trace of the expected record begins with. */
function newestEntry({ version, etag }: CheckedExpected): string {
  return etag === "" ? `${version}.` : `${version}.${etag} `;
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
