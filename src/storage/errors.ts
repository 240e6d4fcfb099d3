/**
 * Every error a storage backend throws for a reason of storage. Arguments out
 * of range (a negative version, a limit of 0) are the built-in `RangeError`
 * and `TypeError` instead: they are bugs of the caller, not answers.
 *
 * @module
 */

/** The stable, machine-readable reason of a {@linkcode StorageError}. */
export type StorageErrorCode =
  | "not_found"
  | "version_conflict"
  | "capacity_exceeded"
  | "invalid_key"
  | "invalid_data"
  | "invalid_cursor"
  | "lease_conflict"
  | "fenced"
  | "backend";

/**
 * The class every storage error belongs to.
 *
 * @example Tell a storage error from any other
 * ```ts
 * import { makeKey, MemoryBackend, StorageError } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using backend = new MemoryBackend();
 * try {
 *   await backend.get(makeKey("alice", "no-such-task"));
 * } catch (error) {
 *   assertEquals(error instanceof StorageError && error.code, "not_found");
 * }
 * ```
 */
export class StorageError extends Error {
  /** The reason, stable across releases. */
  readonly code: StorageErrorCode;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param code The reason.
   * @param message What was tried, on what, and what was expected.
   * @param options `cause`: the error underneath.
   */
  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** No live record under the key: never written, deleted or expired. */
export class NotFoundError extends StorageError {
  /** The key asked for. */
  readonly key: string;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param key The key asked for.
   */
  constructor(key: string) {
    super("not_found", `no record at ${show(key)}`);
    this.name = "NotFoundError";
    this.key = key;
  }
}

/** A conditional write found another version than it expected. */
export class VersionConflictError extends StorageError {
  /** The key of the record. */
  readonly key: string;
  /** The version the caller expected; 0 where it expected no record. */
  readonly expected: number;
  /**
   * The version that is stored; 0 where there is no live record. The expected
   * version itself where the etag differs: a record of another life.
   */
  readonly actual: number;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param key The key of the record.
   * @param expected The version the caller expected.
   * @param actual The version that is stored; 0 for none.
   */
  constructor(key: string, expected: number, actual: number) {
    const found = expected === actual
      ? "another write of that version, of another life of the key"
      : at(actual);
    super(
      "version_conflict",
      `${show(key)} was expected to be ${at(expected)}, but is ${found}`,
    );
    this.name = "VersionConflictError";
    this.key = key;
    this.expected = expected;
    this.actual = actual;
  }
}

/** The unit that a {@linkcode CapacityExceededError} counts. */
export type CapacityUnit = "bytes" | "records" | "active";

/** A write would exceed a limit: the record's size or its owner's quotas. */
export class CapacityExceededError extends StorageError {
  /**
   * The unit that is counted: `"bytes"` of one record, an owner's live
   * `"records"`, or an owner's `"active"` records.
   */
  readonly unit: CapacityUnit;
  /** The most that is allowed, in `unit`. */
  readonly limit: number;
  /** The number that was there (records) or was offered (bytes), in `unit`. */
  readonly actual: number;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param key The key of the record refused.
   * @param unit What is counted.
   * @param limit The most that is allowed.
   * @param actual What was there or was offered.
   */
  constructor(
    key: string,
    unit: CapacityUnit,
    limit: number,
    actual: number,
  ) {
    super(
      "capacity_exceeded",
      unit === "bytes"
        ? `the data for ${
          show(key)
        } has ${actual} bytes; at most ${limit} are allowed`
        : `no room for ${show(key)}: its owner has ${actual} ${
          unit === "records" ? "live" : "active"
        } records of at most ${limit}`,
    );
    this.name = "CapacityExceededError";
    this.unit = unit;
    this.limit = limit;
    this.actual = actual;
  }
}

/** A key, prefix, owner or task id that is not well-formed. */
export class InvalidKeyError extends StorageError {
  /**
   * Creates the error, as `makeKey` and a backend throw it.
   *
   * @param message What is wrong with it.
   */
  constructor(message: string) {
    super("invalid_key", message);
    this.name = "InvalidKeyError";
  }
}

/**
 * Data that cannot be stored as it is, or a record in storage that is damaged
 * (no version, no data, or not a record at all).
 */
export class InvalidDataError extends StorageError {
  /** The key of the record. */
  readonly key: string;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param key The key of the record.
   * @param problem What is wrong, beginning with the field it concerns.
   * @param options `cause`: the error underneath.
   */
  constructor(key: string, problem: string, options?: ErrorOptions) {
    super("invalid_data", `${show(key)}: ${problem}`, options);
    this.name = "InvalidDataError";
    this.key = key;
  }
}

/** A page cursor that this library did not make, or made for another order. */
export class InvalidCursorError extends StorageError {
  /** The cursor refused. */
  readonly cursor: string;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param cursor The cursor refused.
   * @param problem What is wrong with it.
   */
  constructor(cursor: string, problem: string) {
    super("invalid_cursor", `invalid cursor ${show(cursor)}: ${problem}`);
    this.name = "InvalidCursorError";
    this.cursor = cursor;
  }
}

/** Another holder has the lease on the record. */
export class LeaseConflictError extends StorageError {
  /** The key of the record. */
  readonly key: string;
  /** The holder of the lease. */
  readonly holder: string;
  /** The time the lease has left, in milliseconds. */
  readonly remainingMs: number;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param key The key of the record.
   * @param holder The holder of the lease.
   * @param remainingMs The time the lease has left, in milliseconds.
   */
  constructor(key: string, holder: string, remainingMs: number) {
    super(
      "lease_conflict",
      `the lease on ${show(key)} is held by ${
        show(holder)
      } for another ${remainingMs} ms`,
    );
    this.name = "LeaseConflictError";
    this.key = key;
    this.holder = holder;
    this.remainingMs = remainingMs;
  }
}

/** The lease a write relied on has ended: released, run out or overtaken. */
export class FencedError extends StorageError {
  /** The key of the record. */
  readonly key: string;
  /** The fence of the lease that has ended. */
  readonly fence: number;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param key The key of the record.
   * @param fence The fence of the lease that has ended.
   */
  constructor(key: string, fence: number) {
    super(
      "fenced",
      `the lease with fence ${fence} on ${
        show(key)
      } has ended: this write is refused`,
    );
    this.name = "FencedError";
    this.key = key;
    this.fence = fence;
  }
}

/**
 * The outcome of a write that ended in a {@linkcode BackendError}:
 * `"not_applied"` it surely was not executed, `"applied"` it surely was (on the
 * primary), `"unknown"` that can no longer be decided.
 */
export type WriteOutcome = "not_applied" | "applied" | "unknown";

/** The engine underneath failed: unreachable, closed, refusing, or too slow. */
export class BackendError extends StorageError {
  /** The outcome of the write, where it was one. */
  readonly outcome: WriteOutcome;
  /** The version that was written, where `outcome` is `"applied"`. */
  readonly version?: number;
  /**
   * Whether the backend, or the client it has borrowed, has been closed: trying
   * again is no use.
   */
  readonly closed: boolean;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param message What was tried and what happened.
   * @param options `cause`: the engine's own error; `outcome` (default
   * `"not_applied"`) and `version`: what became of the write; `closed`: the
   * backend itself was closed.
   */
  constructor(
    message: string,
    options: ErrorOptions & {
      outcome?: WriteOutcome;
      version?: number;
      closed?: boolean;
    } = {},
  ) {
    super("backend", message, options);
    this.name = "BackendError";
    this.outcome = options.outcome ?? "not_applied";
    if (options.version !== undefined) this.version = options.version;
    this.closed = options.closed ?? false;
  }
}

/** Quotes a value for a message and cuts it, so that a message stays a line. */
function show(text: string): string {
  return JSON.stringify(text.length > 120 ? text.slice(0, 119) + "…" : text);
}

function at(version: number): string {
  return version === 0 ? "absent" : `at version ${version}`;
}
