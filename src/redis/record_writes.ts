/**
 * The writes of records: checked, run, and told to the watches of the same
 * backend. `RedisBackend` and `RedisLeases` write through it.
 */

import {
  checkData,
  type CheckedExpected,
  type CheckedQuotas,
  type checkFencing,
  checkWrite,
} from "../storage/checks.ts";
import {
  CapacityExceededError,
  VersionConflictError,
} from "../storage/errors.ts";
import { makePrefix, parseKey, splitKey } from "../storage/keys.ts";
import type { LeaseRequest } from "../storage/leases.ts";
import type { WriteOptions } from "../storage/record.ts";
import type { WatchHub } from "../storage/watch.ts";
import type { RedisLists } from "./lists.ts";
import {
  type LeaseRule,
  RecordCalls,
  type RecordWrite,
} from "./record_calls.ts";
import type { RedisContext } from "./redis_context.ts";

/** The writes of one backend. */
export class RecordWrites {
  readonly #context: RedisContext;
  readonly #calls: RecordCalls;
  readonly #lists: RedisLists;
  readonly #watches: WatchHub;

  constructor(context: RedisContext, lists: RedisLists, watches: WatchHub) {
    this.#context = context;
    this.#calls = new RecordCalls(context);
    this.#lists = lists;
    this.#watches = watches;
  }

  /** Checks the arguments that every write of a record has. */
  check(key: string, data: string, meta?: WriteOptions): RecordWrite {
    const parts = splitKey(key);
    checkData(key, data, this.#context.maxRecordBytes);
    return { key, parts, data, ...checkWrite(key, data, meta) };
  }

  /** Writes a record whatever is stored. */
  put(write: RecordWrite): Promise<number> {
    return this.#written(
      write,
      this.#context.run(this.#calls.put(write)),
      "kept",
    );
  }

  /** Writes a record if it is the one expected, and its lease obeys a rule. */
  putIfVersion(
    write: RecordWrite,
    expected: CheckedExpected,
    rule?: LeaseRule,
  ): Promise<number> {
    const call = this.#calls.putIfVersion(write, expected, rule);
    const keepsLease = rule === undefined || rule.rule === "holds";
    return this.#written(
      write,
      this.#context.run(call),
      keepsLease ? "kept" : undefined,
    );
  }

  /**
   * Writes a record that must not exist, under a lease if one is given.
   *
   * @returns The fence of the lease; 0 without one.
   */
  async create(
    write: RecordWrite,
    { maxRecords, maxActive }: CheckedQuotas,
    lease?: LeaseRequest,
  ): Promise<number> {
    const run = (isRecount: boolean) => {
      const call = this.#calls.create(
        write,
        maxRecords,
        maxActive,
        lease,
        isRecount,
      );
      return this.#written(write, this.#context.run(call), undefined, () => 1);
    };
    try {
      return await run(false);
    } catch (error) {
      const isFull = error instanceof CapacityExceededError &&
        error.unit !== "bytes";
      if (!isFull || !this.#context.schema.isShared) throw error;
      // Other writers leave their expired tasks in the index: it is counted
      // again before a record is refused.
      await this.#lists.dropStale(makePrefix(parseKey(write.key).owner));
      return await run(true);
    }
  }

  /** Deletes a record; `true` if it was there. */
  async delete(
    key: string,
    operationId: string,
    expected: CheckedExpected | undefined,
  ): Promise<boolean> {
    const own = this.#watches.writing(key);
    try {
      const was = await this.#context.run(
        this.#calls.delete(key, operationId, expected),
      );
      own.done("deleted");
      return was;
    } finally {
      own.done();
    }
  }

  /** Tells the watches of this backend what a write of its own has left. */
  #written(
    write: RecordWrite,
    result: Promise<number>,
    lease: "kept" | undefined,
    versionOf?: (result: number) => number,
  ): Promise<number> {
    // A watch that begins while the write is under way reads for itself.
    return this.#watches.isWatched(write.key)
      ? this.#tell(write, result, lease, versionOf)
      : result;
  }

  async #tell(
    { key, data, operationId, expiresAt }: RecordWrite,
    result: Promise<number>,
    lease: "kept" | undefined,
    versionOf: (result: number) => number = (version) => version,
  ): Promise<number> {
    const own = this.#watches.writing(key);
    try {
      const value = await result;
      own.done({
        data,
        version: versionOf(value),
        etag: operationId,
        lease,
        ...remaining(this.#context, expiresAt),
      });
      return value;
    } catch (error) {
      if (error instanceof VersionConflictError) {
        this.#watches.saw(key, error.actual);
      }
      throw error;
    } finally {
      own.done();
    }
  }
}

/** The lease rule that a `putIfVersion` asks for. */
export function leaseRuleOf(
  { fence, releaseLease }: ReturnType<typeof checkFencing>,
): LeaseRule | undefined {
  return fence === undefined
    ? undefined
    : { fence, rule: releaseLease ? "releases" : "holds" };
}

/** The time a record has left, for a watch; nothing for one without an end. */
export function remaining(
  { clock }: RedisContext,
  expiresAtMs: number | undefined,
): { remainingMs?: number } {
  return expiresAtMs === undefined
    ? {}
    : { remainingMs: expiresAtMs - clock.now() };
}
