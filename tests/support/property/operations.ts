/**
 * Random operations of the contract: few keys and many collisions.
 * `session.ts` runs them.
 *
 * @module
 */

import fc from "fast-check";
import { makeKey, makePrefix, type PageOrder } from "../../../mod.ts";

/** Expiry, creation time and activity, relative: the clock is the test's. */
export interface Times {
  /** Milliseconds from now until the expiry; left out: none. */
  readonly ttlMs?: number | undefined;
  /** Creation time, in epoch milliseconds. */
  readonly createdAt?: number | undefined;
  readonly active?: boolean | undefined;
}

/**
 * What a write expects: a version, the record as it was last read in the
 * sequence, or that record's version alone.
 */
export type Expected = number | "read" | "version read";

/** A lease of the key: 0 is the last one granted, 1 the one before. */
export type LeaseAgo = number;

interface WriteFields {
  readonly key: string;
  readonly data: string;
  readonly times: Times;
}

/** A write of a record, which may be tried again under its name. */
export type WriteOperation =
  | { kind: "put" } & WriteFields
  | {
    kind: "putIfVersion";
    expected: Expected;
    lease: LeaseAgo | undefined;
    releaseLease: boolean;
  } & WriteFields
  | {
    kind: "create";
    maxRecords: number | undefined;
    maxActive: number | undefined;
    holder: string | undefined;
  } & WriteFields
  | { kind: "expire"; expected: Expected; lease: LeaseAgo } & WriteFields
  | { kind: "delete"; key: string; expected: Expected | undefined };

/** One step of a sequence. */
export type Operation =
  | WriteOperation
  | { kind: "repeat"; writesAgo: number }
  | { kind: "get"; key: string }
  | { kind: "listByPrefix"; prefix: string }
  | {
    kind: "pages";
    prefix: string;
    limit: number;
    order: PageOrder;
    active: boolean;
  }
  | { kind: "acquire"; key: string; holder: string; forMs: number }
  | { kind: "renew"; key: string; lease: LeaseAgo; forMs: number }
  | { kind: "release"; key: string; lease: LeaseAgo }
  | { kind: "openSteps"; key: string; lease: LeaseAgo }
  | {
    kind: "recordStep";
    key: string;
    lease: LeaseAgo;
    name: string;
    data: string;
  }
  | { kind: "offer"; key: string; queue: string; inMs: number; ttlMs: number }
  | { kind: "withdraw"; key: string; queue: string }
  | { kind: "claim"; queues: readonly string[]; limit: number; forMs: number }
  | { kind: "wait"; ms: number };

const OWNERS = ["a", "a:b", "%3A"];
const OTHER_KEYS = OWNERS.flatMap((owner) =>
  ["t", "u:1", "🦕", "\uFFFD"].map((task) => makeKey(owner, task))
);
/** Two keys have most of the operations: on the others little would happen. */
const key = fc.oneof(
  { weight: 6, arbitrary: fc.constant(makeKey("a", "t")) },
  { weight: 2, arbitrary: fc.constant(makeKey("a", "🦕")) },
  { weight: 1, arbitrary: fc.constantFrom(...OTHER_KEYS) },
);
const prefix = fc.constantFrom(...["a", ...OWNERS].map(makePrefix));
const data = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("", "{", "null", "[]", '{"expiresAt":null}', "\0"),
);
/** So far apart that no rounding and no slow machine can confuse them. */
const ttlMs = fc.constantFrom(
  ...[undefined, undefined, undefined, -1000, 60_000, 3600_000, 3600_000],
);
const createdAt = fc.constantFrom(
  ...[undefined, 0, 1, 1, 2, 1_700_000_000_000, 1_700_000_000_000.25],
);
const active = fc.constantFrom(undefined, true, true, false);
const times: fc.Arbitrary<Times> = fc.record({ ttlMs, createdAt, active });
const forMs = fc.constantFrom(60_000, 3600_000);
const holder = fc.constantFrom("one", "two|2", "🦕");
const lease = fc.constantFrom(0, 0, 0, 0, 1);
const expected = fc.constantFrom<Expected[]>(
  ...["read", "read", "version read", 1, 2] as const,
);
const queue = fc.constantFrom("q@1", "r");
const quota = fc.constantFrom(undefined, undefined, 0, 1, 2, 3, 100);
const kind = <K extends string>(name: K) => fc.constant(name);

const write: fc.Arbitrary<WriteOperation> = fc.oneof(
  fc.record({ kind: kind("put"), key, data, times }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("putIfVersion"),
      key,
      data,
      expected,
      times,
      lease: fc.oneof(fc.constant(undefined), lease),
      releaseLease: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("create"),
      key,
      data,
      times,
      maxRecords: quota,
      maxActive: quota,
      holder: fc.oneof(fc.constant(undefined), holder),
    }),
  },
  fc.record({
    kind: kind("delete"),
    key,
    expected: fc.oneof(fc.constant(undefined), expected),
  }),
  fc.record({ kind: kind("expire"), key, data, times, expected, lease }),
);

const read: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: kind("get"), key }) },
  fc.record({ kind: kind("listByPrefix"), prefix }),
  fc.record({
    kind: kind("pages"),
    prefix,
    limit: fc.integer({ min: 1, max: 5 }),
    order: fc.constantFrom<PageOrder[]>("newest", "oldest"),
    active: fc.boolean(),
  }),
);

const leasing: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: kind("acquire"), key, holder, forMs }),
  },
  fc.record({ kind: kind("renew"), key, lease, forMs }),
  fc.record({ kind: kind("release"), key, lease }),
  fc.record({ kind: kind("openSteps"), key, lease }),
  fc.record({
    kind: kind("recordStep"),
    key,
    lease,
    name: fc.constantFrom("charge", "data", "🦕"),
    data,
  }),
);

const due: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("offer"),
      key,
      queue,
      inMs: fc.constantFrom(-500_000, -500_000, 500_000),
      ttlMs: fc.constantFrom(60_000, 3600_000, 3600_000),
    }),
  },
  fc.record({ kind: kind("withdraw"), key, queue }),
  fc.record({
    kind: kind("claim"),
    queues: fc.constantFrom(["q@1"], ["r"]),
    limit: fc.constantFrom(1, 2, 1000),
    forMs,
  }),
  // Of which queue a bounded claim takes first is left open.
  fc.record({
    kind: kind("claim"),
    queues: fc.constant(["r", "q@1"]),
    limit: fc.constant(1000),
    forMs,
  }),
);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 10, arbitrary: write as fc.Arbitrary<Operation> },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("repeat"),
      writesAgo: fc.integer({ min: 0, max: 12 }),
    }),
  },
  { weight: 6, arbitrary: read },
  { weight: 8, arbitrary: leasing },
  { weight: 3, arbitrary: due },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("wait"),
      ms: fc.constantFrom(1, 1, 29_000, 29_000, 59_000, 61_000, 3601_000),
    }),
  },
);

/** Sequences of steps. */
export const operations: fc.Arbitrary<Operation[]> = fc.array(operation, {
  minLength: 1,
  maxLength: 80,
  size: "max",
});
