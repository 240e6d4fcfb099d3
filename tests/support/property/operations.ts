/**
 * Random operations of the contract, few keys and many collisions, and what a
 * backend answers to each, in a form that can be compared.
 *
 * @module
 */

import fc from "fast-check";
import {
  CapacityExceededError,
  makeKey,
  makePrefix,
  type PageOrder,
  type RecordMeta,
  type StorageBackend,
  StorageError,
  VersionConflictError,
} from "../../../mod.ts";

/** Expiry and creation time, relative: the clock is the test's. */
export interface Times {
  /** Milliseconds from now until the expiry; left out: none. */
  readonly ttlMs?: number | undefined;
  /** Creation time, in epoch milliseconds. */
  readonly createdAt?: number | undefined;
}

/** One step of a sequence. */
export type Operation =
  | { kind: "get"; key: string }
  | { kind: "put"; key: string; data: string; times: Times }
  | {
    kind: "putIfVersion";
    key: string;
    data: string;
    expected: number;
    times: Times;
  }
  | {
    kind: "create";
    key: string;
    data: string;
    times: Times;
    maxRecords: number | undefined;
  }
  | { kind: "delete"; key: string }
  | { kind: "listByPrefix"; prefix: string }
  | { kind: "pages"; prefix: string; limit: number; order: PageOrder }
  | { kind: "wait"; ms: number };

const OWNERS = ["a", "a:b", "%3A"];
const owner = fc.constantFrom(...OWNERS);
const task = fc.constantFrom("t", "u:1", "🦕", "\uFFFD");
const key = fc.tuple(owner, task).map(([o, t]: [string, string]) =>
  makeKey(o, t)
);
const prefix = owner.map((name: string) => makePrefix(name));
const data = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("", "{", "null", "[]", '{"expiresAt":null}', "\0"),
);
/** So far apart that no rounding and no slow machine can confuse them. */
const ttlMs = fc.constantFrom(undefined, undefined, -1000, 60_000, 3600_000);
const createdAt = fc.constantFrom(undefined, 0, 1, 1, 2, 1_700_000_000_000);
const times: fc.Arbitrary<Times> = fc.record({ ttlMs, createdAt });
const kind = <K extends string>(name: K) => fc.constant(name);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: kind("get"), key }),
  { weight: 3, arbitrary: fc.record({ kind: kind("put"), key, data, times }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("putIfVersion"),
      key,
      data,
      expected: fc.integer({ min: 1, max: 4 }),
      times,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("create"),
      key,
      data,
      times,
      maxRecords: fc.constantFrom(undefined, 0, 1, 2, 3, 100),
    }),
  },
  fc.record({ kind: kind("delete"), key }),
  fc.record({ kind: kind("listByPrefix"), prefix }),
  fc.record({
    kind: kind("pages"),
    prefix,
    limit: fc.integer({ min: 1, max: 5 }),
    order: fc.constantFrom<PageOrder[]>("newest", "oldest"),
  }),
  fc.record({
    kind: kind("wait"),
    ms: fc.constantFrom(1, 59_000, 61_000, 3601_000),
  }),
);

/** Sequences of steps. */
export const operations: fc.Arbitrary<Operation[]> = fc.array(operation, {
  minLength: 1,
  maxLength: 60,
  size: "max",
});

/** Every owner the operations know. */
export const PREFIXES: readonly string[] = OWNERS.map(makePrefix);

/** The meta the times stand for. */
export function metaOf(times: Times, now: number): RecordMeta {
  return {
    ...(times.ttlMs === undefined ? {} : { expiresAt: now + times.ttlMs }),
    ...(times.createdAt === undefined ? {} : { createdAt: times.createdAt }),
  };
}

/** What a backend answers: a value, or an error's class and fields. */
export async function answerOf(
  backend: StorageBackend,
  operation: Operation,
  now: number,
): Promise<unknown> {
  try {
    return await carryOut(backend, operation, now);
  } catch (error) {
    return describe(error);
  }
}

/** An error as something to compare. */
export function describe(error: unknown): unknown {
  if (!(error instanceof StorageError)) throw error;
  const { name, code } = error;
  if (error instanceof VersionConflictError) {
    const { key, expected, actual } = error;
    return { name, code, key, expected, actual };
  }
  if (error instanceof CapacityExceededError) {
    const { unit, limit, actual } = error;
    return { name, code, unit, limit, actual };
  }
  return { name, code, ...("key" in error ? { key: error.key } : {}) };
}

async function carryOut(
  backend: StorageBackend,
  operation: Operation,
  now: number,
): Promise<unknown> {
  switch (operation.kind) {
    case "get":
      return await backend.get(operation.key);
    case "put": {
      const { key, data, times } = operation;
      return await backend.put(key, data, metaOf(times, now));
    }
    case "putIfVersion": {
      const { key, data, expected, times } = operation;
      return await backend.putIfVersion(
        key,
        data,
        expected,
        metaOf(times, now),
      );
    }
    case "create": {
      const { key, data, times, maxRecords } = operation;
      const meta = metaOf(times, now);
      return await backend.create(
        key,
        data,
        maxRecords === undefined ? { meta } : { meta, maxRecords },
      );
    }
    case "delete":
      return await backend.delete(operation.key);
    case "listByPrefix":
      return await backend.listByPrefix(operation.prefix);
    case "pages": {
      const { prefix, limit, order } = operation;
      const pages = [await backend.listPage(prefix, { limit, order })];
      while (true) {
        const cursor = pages.at(-1)?.nextCursor;
        if (cursor === undefined) return pages.map(({ records }) => records);
        pages.push(await backend.listPage(prefix, { limit, order, cursor }));
      }
    }
    case "wait":
      return undefined;
  }
}
