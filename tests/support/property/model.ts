/**
 * The contract as plain lists, without any thought of speed.
 *
 * @module
 */

import {
  CapacityExceededError,
  type CreateOptions,
  type DeleteOptions,
  type ExpectedRecord,
  FencedError,
  type KeyedRecord,
  LeaseConflictError,
  type LeaseRequest,
  type ListPageOptions,
  NotFoundError,
  type PutIfVersionOptions,
  type RecordPage,
  VersionConflictError,
  type WriteOptions,
} from "../../../mod.ts";
import { byBytes } from "./by_bytes.ts";
import { ModelDue } from "./model_due.ts";
import type { SessionBackend } from "./session.ts";

interface ModelLease {
  readonly holder: string;
  readonly fence: number;
  readonly untilMs: number;
}

interface ModelRecord {
  readonly key: string;
  data: string;
  version: number;
  etag: string;
  createdAt: number;
  expiresAt: number;
  active: boolean;
  lease: ModelLease | undefined;
  readonly steps: { name: string; fence: number; data: string }[];
}

/** Answers operations as any backend must. */
export class Model implements SessionBackend {
  readonly due: ModelDue;
  readonly #clock: () => number;
  #all: ModelRecord[] = [];
  /** What each named write answered, for ever: no sequence asks too late. */
  readonly #applied = new Map<string, unknown>();
  #fences = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
    this.due = new ModelDue(clock);
  }

  // deno-lint-ignore require-await
  async get(key: string) {
    return this.#shown(this.#get(key));
  }

  put(key: string, data: string, meta: WriteOptions = {}) {
    return this.#once(meta.operationId, () => this.#write(key, data, meta));
  }

  putIfVersion(
    key: string,
    data: string,
    expected: ExpectedRecord,
    meta: PutIfVersionOptions = {},
  ) {
    return this.#once(meta.operationId, () => {
      const record = this.#expect(key, expected);
      if (meta.fence !== undefined) this.#requireLease(key, meta.fence);
      if (record && meta.releaseLease) record.lease = undefined;
      return this.#write(key, data, meta);
    });
  }

  create(key: string, data: string, options: CreateOptions = {}) {
    return this.#once(
      options.meta?.operationId,
      () => this.#create(key, data, options),
    );
  }

  delete(key: string, { expected, operationId }: DeleteOptions = {}) {
    if (this.#applied.has(operationId!)) return Promise.resolve(true);
    if (this.#find(key) === undefined) return Promise.resolve(false);
    return this.#once(operationId, () => {
      if (expected !== undefined) this.#expect(key, expected);
      this.#all = this.#all.filter((record) => record.key !== key);
      return true;
    });
  }

  // deno-lint-ignore require-await
  async listByPrefix(prefix: string): Promise<KeyedRecord[]> {
    return this.#list(prefix)
      .map((record) => ({ key: record.key, ...this.#shown(record) }));
  }

  /** Its cursors are ranks: a sequence changes nothing between two pages. */
  async listPage(
    prefix: string,
    { limit = 50, order, active, cursor = "0" }: ListPageOptions = {},
  ): Promise<RecordPage> {
    const keys = this.#list(prefix)
      .filter((record) => record.active || !active).map(({ key }) => key);
    const all = (await this.listByPrefix(prefix))
      .filter(({ key }) => keys.includes(key));
    if (order === "newest") all.reverse();
    const end = Number(cursor) + limit;
    const records = all.slice(Number(cursor), end);
    return end < all.length
      ? { records, nextCursor: String(end) }
      : { records };
  }

  readonly leases: SessionBackend["leases"] = {
    acquire: async (key, request) => {
      const record = this.#get(key);
      const held = this.#held(record);
      if (held && held.holder !== request.holder) {
        const remainingMs = held.untilMs - this.#clock();
        throw new LeaseConflictError(key, held.holder, remainingMs);
      }
      return await this.#grant(record, request, held?.fence);
    },
    renew: async (key, fence, forMs) => {
      const { holder } = this.#requireLease(key, fence);
      await this.#grant(this.#get(key), { holder, forMs }, fence);
    },
    // deno-lint-ignore require-await
    release: async (key, fence) => {
      const record = this.#get(key);
      if (record.lease && record.lease.fence !== fence) return false;
      record.lease = undefined;
      return true;
    },
    create: (key, data, request, options = {}) =>
      this.#once(options.meta?.operationId, () => {
        this.#create(key, data, options);
        const record = this.#find(key);
        return this.#grant(record, request, undefined);
      }),
    expire: (key, fence, data, expected, meta = {}) =>
      this.#once(meta.operationId, () => {
        const record = this.#get(key);
        this.#expect(key, expected);
        if (record.lease?.fence !== fence) throw new FencedError(key, fence);
        const held = this.#held(record);
        if (held) throw new LeaseConflictError(key, held.holder, 1);
        record.lease = undefined;
        return this.#write(key, data, meta);
      }),
  };

  readonly steps: SessionBackend["steps"] = {
    // deno-lint-ignore require-await
    open: async (key, fence) => {
      this.#requireLease(key, fence);
      const { steps } = this.#get(key);
      return new Map(steps.map(({ name, data }) => [name, data]));
    },
    // deno-lint-ignore require-await
    record: async (key, fence, name, data) => {
      this.#requireLease(key, fence);
      const { steps } = this.#get(key);
      const found = steps.find((step) => step.name === name);
      if (found) return { data: found.data, recorded: found.fence === fence };
      steps.push({ name, fence, data });
      return { data, recorded: true };
    },
  };

  /** A write that was applied under its name answers what it answered then. */
  async #once<T>(id: string | undefined, step: () => T): Promise<Awaited<T>> {
    if (id === undefined) throw new Error("a sequence names its writes");
    if (!this.#applied.has(id)) this.#applied.set(id, await step());
    return this.#applied.get(id) as Awaited<T>;
  }

  #create(key: string, data: string, options: CreateOptions): number {
    const { meta = {}, maxRecords = Infinity, maxActive = Infinity } = options;
    const found = this.#find(key);
    if (found) throw new VersionConflictError(key, 0, found.version);
    const list = this.#list(key.slice(0, key.indexOf(":") + 1));
    if (list.length >= maxRecords) {
      const { length } = list;
      throw new CapacityExceededError(key, "records", maxRecords, length);
    }
    const active = list.filter((record) => record.active).length;
    if (meta.active && active >= maxActive) {
      throw new CapacityExceededError(key, "active", maxActive, active);
    }
    return this.#write(key, data, meta);
  }

  #write(key: string, data: string, meta: WriteOptions): number {
    const old = this.#find(key);
    const record: ModelRecord = {
      key,
      data,
      version: (old?.version ?? 0) + 1,
      etag: meta.operationId!,
      createdAt: meta.createdAt ?? old?.createdAt ?? this.#clock(),
      expiresAt: meta.expiresAt ?? Infinity,
      active: meta.active ?? false,
      lease: old?.lease,
      steps: old?.steps ?? [],
    };
    this.#all = [...this.#all.filter((other) => other !== old), record];
    return record.version;
  }

  #live(): ModelRecord[] {
    return this.#all = this.#all
      .filter(({ expiresAt }) => expiresAt > this.#clock());
  }

  #find(key: string): ModelRecord | undefined {
    return this.#live().find((record) => record.key === key);
  }

  #get(key: string): ModelRecord {
    const found = this.#find(key);
    if (!found) throw new NotFoundError(key);
    return found;
  }

  #expect(key: string, expected: ExpectedRecord): ModelRecord | undefined {
    const { version, etag = "" } = typeof expected === "number"
      ? { version: expected }
      : expected;
    const found = this.#find(key);
    const isOther = etag !== "" && found?.etag !== etag;
    if (found?.version === version && !isOther) return found;
    throw new VersionConflictError(key, version, found?.version ?? 0);
  }

  #held({ lease }: ModelRecord): ModelLease | undefined {
    return lease && lease.untilMs > this.#clock() ? lease : undefined;
  }

  #requireLease(key: string, fence: number): ModelLease {
    const held = this.#held(this.#get(key));
    if (held?.fence !== fence) throw new FencedError(key, fence);
    return held;
  }

  /** The lease, from now on; a new one has a fence of its own. */
  #grant(
    record: ModelRecord | undefined,
    { holder, forMs }: LeaseRequest,
    fence = 1000 + ++this.#fences,
  ): { fence: number } {
    if (record) {
      record.lease = { holder, fence, untilMs: this.#clock() + forMs };
    }
    return { fence };
  }

  #shown({ data, version, etag, lease }: ModelRecord) {
    if (lease === undefined) return { data, version, etag };
    const { holder, fence, untilMs } = lease;
    const remainingMs = untilMs - this.#clock();
    return { data, version, etag, lease: { holder, fence, remainingMs } };
  }

  #list(prefix: string): ModelRecord[] {
    return this.#live()
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => a.createdAt - b.createdAt || byBytes(a.key, b.key));
  }
}
