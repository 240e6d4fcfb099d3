/**
 * Turns the answers of scripts and HMGET into records, and into errors that
 * name the key.
 */

import {
  BackendError,
  FencedError,
  InvalidDataError,
  LeaseConflictError,
  NotFoundError,
} from "../storage/errors.ts";
import type { LeaseState, VersionedRecord } from "../storage/record.ts";
import type { ServerClock } from "./executor/server_clock.ts";
import { REPLY } from "./lua/reply.ts";

/** A record, and when it ends. */
export interface StoredRecord {
  readonly record: VersionedRecord;
  /** Epoch milliseconds by the server's clock; `undefined`: never. */
  readonly expiresAtMs: number | undefined;
}

/** The fields of a record, in the order of `RECORD_FIELDS`. */
export type RecordFields = readonly (string | null)[];

const DAMAGE: Record<number, string> = {
  [REPLY.badVersion]: "its version is missing or not an integer from 1",
  [REPLY.badData]: "its data is missing",
  [REPLY.badExpiry]: "its expires_at is not epoch seconds",
};

/** Throws if a script's code says that the record is damaged. */
export function throwIfCorrupt(key: string, code: unknown): void {
  const problem = DAMAGE[code as number];
  if (problem !== undefined) {
    throw new InvalidDataError(key, `the record is damaged: ${problem}`);
  }
}

/**
 * Reads a record.
 *
 * @returns The record, if there is one; `"doubt"` where only the server can say
 * whether it has expired.
 */
export function readRecord(
  key: string,
  fields: RecordFields,
  clock: Pick<ServerClock, "now">,
): StoredRecord | undefined | "doubt" {
  const [version, data, expiresAt, ops, lease] = fields;
  if (version == null && data == null && expiresAt == null && ops == null) {
    return undefined;
  }
  if (expiresAt != null) {
    const seconds = Number(expiresAt);
    if (expiresAt === "" || !Number.isInteger(seconds) || seconds < 0) {
      throwIfCorrupt(key, REPLY.badExpiry);
    }
    if (seconds * 1000 <= clock.now()) return "doubt";
  }
  if (version == null || !isVersion(version)) {
    throwIfCorrupt(key, REPLY.badVersion);
  }
  if (data == null) throwIfCorrupt(key, REPLY.badData);
  const written = ops == null ? undefined : readOps(version!, ops);
  const state = lease == null ? undefined : readLease(lease, clock);
  const record = {
    data: data!,
    version: Number(version),
    etag: written === undefined ? "" : written.etag,
  };
  return {
    record: state === undefined ? record : { ...record, lease: state },
    expiresAtMs: expiresAt == null
      ? undefined
      : written?.expiresAtMs ?? Number(expiresAt) * 1000,
  };
}

function isVersion(text: string): boolean {
  const version = Number(text);
  return version >= 1 && Number.isSafeInteger(version) &&
    String(version) === text;
}

/** The latest write in `ops`, if it made this version. */
function readOps(
  version: string,
  ops: string,
): { etag: string; expiresAtMs: number | undefined } | undefined {
  const created = ops.indexOf("|", 2);
  const expires = ops.indexOf("|", created + 1);
  const start = expires + 1;
  if (created < 0 || expires < 0 || !ops.startsWith(version + ".", start)) {
    return undefined;
  }
  const etag = ops.slice(start + version.length + 1, ops.indexOf(" ", start));
  const text = ops.slice(created + 1, expires);
  return { etag, expiresAtMs: text === "" ? undefined : Number(text) };
}

/** `<fence>|<until ms>|<acquisition>|<holder>`; without a holder it was released. */
function readLease(
  text: string,
  clock: Pick<ServerClock, "now">,
): LeaseState | undefined {
  const [, fence, untilMs, holder] =
    /^(\d+)\|(\d+)\|[^|]*\|(.+)$/s.exec(text) ?? [];
  if (holder === undefined) return undefined;
  return {
    holder,
    fence: Number(fence),
    remainingMs: Math.ceil(Number(untilMs) - clock.now()),
  };
}

/**
 * Takes a script's answer apart, and throws what its code means for any record
 * and lease.
 *
 * @returns The code and what follows it; a plain answer is code 1.
 */
export function readAnswer(
  key: string,
  answer: unknown,
  fence?: number,
): { code: number; values: readonly unknown[] } {
  if (!Array.isArray(answer)) return { code: REPLY.applied, values: [answer] };
  const [code, ...values] = answer as [number, ...unknown[]];
  throwIfCorrupt(key, code);
  if (code === REPLY.absent) throw new NotFoundError(key);
  if (code === REPLY.fenced) throw new FencedError(key, fence ?? 0);
  if (code === REPLY.held) {
    throw new LeaseConflictError(key, String(values[1]), Number(values[0]));
  }
  return { code, values };
}

/** The error of every call on a backend that was closed. */
export function closedError(): BackendError {
  return new BackendError("the Redis backend is closed", { closed: true });
}
