/** Leases on Redis: one field of the record's hash, judged by the server. */

import type {
  CreateOptions,
  ExpectedRecord,
  WriteOptions,
} from "../storage/record.ts";
import {
  checkCreate,
  checkExpected,
  checkFence,
  checkForMs,
  checkLease,
} from "../storage/checks.ts";
import { NotFoundError, VersionConflictError } from "../storage/errors.ts";
import { splitKey } from "../storage/keys.ts";
import { newOperationId } from "../storage/operation_id.ts";
import type {
  GrantedLease,
  LeaseRequest,
  LeaseStorage,
} from "../storage/leases.ts";
import { writeScriptInput } from "./executor/script.ts";
import type { ScriptCall } from "./executor/script_call.ts";
import { LUA_LEASE_ACQUIRE } from "./lua/lease_acquire.ts";
import { LUA_LEASE_RELEASE } from "./lua/lease_release.ts";
import { LUA_LEASE_RENEW } from "./lua/lease_renew.ts";
import type { RecordWrites } from "./record_writes.ts";
import type { RedisContext } from "./redis_context.ts";
import { readAnswer } from "./replies.ts";

/** Every promise of `LeaseStorage`, on Redis. */
export class RedisLeases implements LeaseStorage {
  readonly #context: RedisContext;
  readonly #writes: RecordWrites;

  constructor(context: RedisContext, writes: RecordWrites) {
    this.#context = context;
    this.#writes = writes;
  }

  async acquire(key: string, lease: LeaseRequest): Promise<GrantedLease> {
    const { schema } = this.#context;
    const { owner, task } = splitKey(key);
    const record = schema.record(owner, task);
    const { holder, forMs } = checkLease(lease);
    const op = newOperationId();
    return await this.#context.run<GrantedLease>({
      what: () => `acquire the lease on ${JSON.stringify(key)}`,
      key,
      route: record,
      script: LUA_LEASE_ACQUIRE,
      kind: "idempotent",
      isDurable: true,
      write: (words, { deadlineMs, isRetry }) =>
        writeScriptInput(words, LUA_LEASE_ACQUIRE, {
          keys: { record, gone: schema.gone(owner, task) },
          args: {
            holder,
            op,
            for_ms: String(forMs),
            deadline_ms: deadlineMs,
            mode: isRetry ? "r" : "",
          },
        }),
      decode: (answer) => {
        const { values } = readAnswer(key, answer);
        return { fence: Number(values[0]) };
      },
    });
  }

  async renew(key: string, fence: number, forMs: number): Promise<void> {
    const record = this.#record(key);
    checkFence(fence);
    checkForMs(forMs);
    await this.#context.run({
      ...this.#byFence("renew", key, record, fence),
      script: LUA_LEASE_RENEW,
      write: (words, { deadlineMs }) =>
        writeScriptInput(words, LUA_LEASE_RENEW, {
          keys: { record },
          args: {
            fence: String(fence),
            for_ms: String(forMs),
            deadline_ms: deadlineMs,
          },
        }),
    });
  }

  async release(key: string, fence: number): Promise<boolean> {
    const record = this.#record(key);
    checkFence(fence);
    const released = await this.#context.run({
      ...this.#byFence("release", key, record, fence),
      script: LUA_LEASE_RELEASE,
      write: (words, { deadlineMs }) =>
        writeScriptInput(words, LUA_LEASE_RELEASE, {
          keys: { record },
          args: { fence: String(fence), deadline_ms: deadlineMs },
        }),
    });
    return released === 1;
  }

  async create(
    key: string,
    data: string,
    lease: LeaseRequest,
    options: CreateOptions = {},
  ): Promise<GrantedLease> {
    const write = this.#writes.check(key, data, options.meta);
    const asked = checkLease(lease);
    const fence = await this.#writes.create(write, checkCreate(options), asked);
    return { fence };
  }

  async expire(
    key: string,
    fence: number,
    data: string,
    expected: ExpectedRecord,
    meta?: WriteOptions,
  ): Promise<number> {
    const write = this.#writes.check(key, data, meta);
    checkFence(fence);
    const rule = { fence, rule: "lapsed" } as const;
    try {
      return await this.#writes.putIfVersion(
        write,
        checkExpected(expected),
        rule,
      );
    } catch (error) {
      const isAbsent = error instanceof VersionConflictError &&
        error.actual === 0;
      throw isAbsent ? new NotFoundError(key) : error;
    }
  }

  #record(key: string): string {
    const { owner, task } = splitKey(key);
    return this.#context.schema.record(owner, task);
  }

  /**
   * Makes the common part of calls by fence. No replica is waited for: a lease
   * lost in a failover is a lease that has ended.
   */
  #byFence(
    verb: string,
    key: string,
    record: string,
    fence: number,
  ): Omit<ScriptCall<number>, "script" | "write"> {
    return {
      what: () => `${verb} the lease on ${JSON.stringify(key)}`,
      key,
      route: record,
      kind: "idempotent",
      decode: (answer) => Number(readAnswer(key, answer, fence).values[0]),
    };
  }
}
