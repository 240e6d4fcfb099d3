/**
 * Runs random operations on a backend, and says what it answers in a form that
 * can be compared with another's.
 *
 * @module
 */

import {
  CapacityExceededError,
  type DeleteOptions,
  type DueClaim,
  type ExpectedRecord,
  FencedError,
  LeaseConflictError,
  StorageError,
  VersionConflictError,
  type WriteOptions,
} from "../../../mod.ts";
import type { FullBackend } from "../suite/env.ts";
import type {
  Expected,
  LeaseAgo,
  Operation,
  Times,
  WriteOperation,
} from "./operations.ts";

/** What a sequence asks of a backend. */
export type SessionBackend = Pick<
  FullBackend,
  | "get"
  | "put"
  | "putIfVersion"
  | "create"
  | "delete"
  | "listByPrefix"
  | "listPage"
  | "leases"
  | "steps"
  | "due"
>;

/** How long the contract says that a write is recognized, less a margin. */
const RECOGNIZED_MS = 59_000;

/** One backend's way through a sequence. */
export class Session {
  readonly #backend: SessionBackend;
  readonly #writes: { id: string; at: number; operation: WriteOperation }[] =
    [];
  /** What was last read of each key. */
  readonly #read = new Map<string, { version: number; etag: string }>();
  /** The fences granted on each key, the last one first. */
  readonly #fences = new Map<string, number[]>();
  /** All fences, in the order they were granted: engines number on their own. */
  readonly #granted: number[] = [];
  #offers = 0;

  constructor(backend: SessionBackend) {
    this.#backend = backend;
  }

  /** A value, or an error's class and fields. */
  async answer(operation: Operation, now: number): Promise<unknown> {
    try {
      return this.#comparable(await this.#run(operation, now));
    } catch (error) {
      return this.#describe(error);
    }
  }

  #run(operation: Operation, now: number): Promise<unknown> {
    const { leases, steps, due } = this.#backend;
    switch (operation.kind) {
      case "get":
        return this.#get(operation.key);
      case "listByPrefix":
        return this.#backend.listByPrefix(operation.prefix);
      case "pages":
        return this.#pages(operation);
      case "acquire": {
        const { key, holder, forMs } = operation;
        return this.#grant(key, leases.acquire(key, { holder, forMs }));
      }
      case "renew": {
        const { key, lease, forMs } = operation;
        return leases.renew(key, this.#fence(key, lease), forMs);
      }
      case "release": {
        const { key, lease } = operation;
        return leases.release(key, this.#fence(key, lease));
      }
      case "openSteps": {
        const { key, lease } = operation;
        return steps.open(key, this.#fence(key, lease))
          .then((found) => [...found].sort());
      }
      case "recordStep": {
        const { key, lease, name, data } = operation;
        return steps.record(key, this.#fence(key, lease), name, data);
      }
      case "offer": {
        const { key, queue, inMs, ttlMs } = operation;
        // No two hints are due at one time: their order would be open.
        const atMs = now + inMs + this.#offers++;
        return due.offer(key, queue, atMs, { expiresAt: now + ttlMs });
      }
      case "withdraw":
        return due.withdraw(operation.key, operation.queue);
      case "claim": {
        const { queues, limit, forMs } = operation;
        return due.claim(queues, limit, forMs).then(({ claims, nextInMs }) => [
          // Put off together, hints of two queues are due at one time.
          queues.length === 1 ? claims : claims.map(textOf).sort(),
          nextInMs === undefined ? "none" : nextInMs > 0 ? "later" : "now",
        ]);
      }
      case "repeat":
        return this.#repeat(operation.writesAgo, now);
      case "wait":
        return Promise.resolve();
      default: {
        const id = `write-${String(this.#writes.length).padStart(4, "0")}`;
        this.#writes.unshift({ id, at: now, operation });
        return this.#write(operation, id, now, true);
      }
    }
  }

  #write(
    operation: WriteOperation,
    operationId: string,
    now: number,
    isFirst: boolean,
  ): Promise<unknown> {
    const backend = this.#backend;
    const { kind, key } = operation;
    if (kind === "delete") {
      const { expected } = operation;
      const options: DeleteOptions = expected === undefined
        ? { operationId }
        : { operationId, expected: this.#expected(key, expected) };
      return backend.delete(key, options);
    }
    const { data, times } = operation;
    const meta = { ...metaOf(times, now), operationId };
    if (kind === "put") return backend.put(key, data, meta);
    if (kind === "create") {
      const { holder, maxRecords, maxActive } = operation;
      const options = { meta, maxRecords, maxActive };
      if (holder === undefined) return backend.create(key, data, options);
      const lease = { holder, forMs: 60_000 };
      const created = backend.leases.create(key, data, lease, options);
      // Tried again, an engine may not know the fence of a lease that has ended.
      return isFirst ? this.#grant(key, created) : created.then(() => "again");
    }
    const expected = this.#expected(key, operation.expected);
    if (kind === "expire") {
      const fence = this.#fence(key, operation.lease);
      return backend.leases.expire(key, fence, data, expected, meta);
    }
    const { lease, releaseLease } = operation;
    const fencing = lease === undefined
      ? {}
      : { fence: this.#fence(key, lease), releaseLease };
    return backend.putIfVersion(key, data, expected, { ...meta, ...fencing });
  }

  /** The same write under the same name, while it must be recognized. */
  #repeat(writesAgo: number, now: number): Promise<unknown> {
    const write = this.#writes[writesAgo];
    if (write === undefined || now - write.at > RECOGNIZED_MS) {
      return Promise.resolve("nothing to repeat");
    }
    return this.#write(write.operation, write.id, now, false);
  }

  async #get(key: string): Promise<unknown> {
    const record = await this.#backend.get(key);
    this.#read.set(key, record);
    return record;
  }

  async #pages(
    { prefix, limit, order, active }: Operation & { kind: "pages" },
  ): Promise<unknown> {
    const options = { limit, order, active };
    const pages = [await this.#backend.listPage(prefix, options)];
    while (true) {
      const cursor = pages.at(-1)?.nextCursor;
      if (cursor === undefined) return pages.map(({ records }) => records);
      pages.push(await this.#backend.listPage(prefix, { ...options, cursor }));
    }
  }

  async #grant(
    key: string,
    granting: Promise<{ readonly fence: number }>,
  ): Promise<unknown> {
    const { fence } = await granting;
    const fences = this.#fences.get(key) ?? [];
    this.#fences.set(key, fences);
    if (!fences.includes(fence)) fences.unshift(fence);
    if (!this.#granted.includes(fence)) this.#granted.push(fence);
    return { fence };
  }

  #fence(key: string, lease: LeaseAgo): number {
    return this.#fences.get(key)?.[lease] ?? 1;
  }

  #expected(key: string, expected: Expected): ExpectedRecord {
    if (typeof expected === "number") return expected;
    const read = this.#read.get(key) ?? { version: 1, etag: "never-read" };
    return expected === "read" ? read : read.version;
  }

  /** Fences become their places in the order of all grants; times, their sign. */
  #comparable(value: unknown): unknown {
    if (Array.isArray(value)) {
      return value.map((item) => this.#comparable(item));
    }
    if (typeof value !== "object" || value === null) return value;
    const fields = Object.entries(value).map(([name, field]) => {
      if (name === "fence") return [name, this.#granted.indexOf(field)];
      if (name === "remainingMs") return [name, field > 0];
      return [name, this.#comparable(field)];
    });
    return Object.fromEntries(fields);
  }

  #describe(error: unknown): unknown {
    if (!(error instanceof StorageError)) throw error;
    const { name, code } = error;
    const fields: Record<string, unknown> = { name, code };
    const add = (names: string[]) => {
      for (const field of names) {
        fields[field] = (error as unknown as Record<string, unknown>)[field];
      }
    };
    if ("key" in error) add(["key"]);
    if (error instanceof VersionConflictError) add(["expected", "actual"]);
    if (error instanceof LeaseConflictError) add(["holder", "remainingMs"]);
    if (error instanceof FencedError) add(["fence"]);
    if (error instanceof CapacityExceededError) {
      add(["unit", "limit", "actual"]);
    }
    return this.#comparable(fields);
  }
}

function textOf({ key, queue }: DueClaim): string {
  return JSON.stringify([queue, key]);
}

/** The meta that the times make. */
function metaOf(times: Times, now: number): WriteOptions {
  const { ttlMs, createdAt, active } = times;
  return {
    ...(ttlMs === undefined ? {} : { expiresAt: now + ttlMs }),
    ...(createdAt === undefined ? {} : { createdAt }),
    ...(active === undefined ? {} : { active }),
  };
}
