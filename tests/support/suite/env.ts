/**
 * What the contract suite needs of a backend's test file, and the data its
 * tests write.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import {
  type ListPageOptions,
  makeKey,
  makePrefix,
  NotFoundError,
  type StorageBackend,
  type VersionedRecord,
} from "../../../mod.ts";
import { waitUntil } from "../wait.ts";

/** How to open a backend for one test. */
export interface OpenOptions {
  /** How many instances to open on the same storage. Default: 1. */
  readonly instances?: number;
  /** The `maxRecordBytes` of each. */
  readonly maxRecordBytes?: number;
}

/** A part that a backend may do without. */
export type OptionalPart = "leases" | "steps" | "due";

/** A backend with every part its tests need. */
export type FullBackend =
  & StorageBackend
  & Required<Pick<StorageBackend, OptionalPart>>;

/** A backend the suite can be run for. */
export interface BackendUnderTest {
  /** Stands in front of every test name: `redis`, `memory`. */
  readonly name: string;
  /** Whether its tests are ignored here. */
  readonly ignore?: boolean;
  /** Whether the engine removes expired records itself (`cleanupExpired` 0). */
  readonly expiresByItself: boolean;
  /** The parts it does not have. Default: none, it has them all. */
  readonly without?: readonly OptionalPart[];
  /**
   * Opens instances on one fresh, empty storage, hands them to the body,
   * closes them and fails if the body left something that never goes away.
   * Where an engine has only one instance, it is handed out several times.
   */
  use(
    body: (backends: StorageBackend[]) => Promise<void>,
    options?: OpenOptions,
  ): Promise<void>;
}

/**
 * Registers one test of the contract. Its body gets the first instance, the
 * last, and a function that picks the one at turn n. A test of a part is
 * registered only for a backend that has that part.
 */
export type ContractTest = (
  name: string,
  body: (
    backend: FullBackend,
    other: FullBackend,
    pick: (n: number) => FullBackend,
  ) => Promise<void>,
  options?: OpenOptions,
) => void;

/** The test registrar of a backend: names its tests, opens and closes it. */
export function contractTest(under: BackendUnderTest): ContractTest {
  return (name, body, options) =>
    Deno.test({
      name: `${under.name}_${name}`,
      ignore: under.ignore ?? false,
      fn: () =>
        under.use((backends) => {
          const pick = (n: number) =>
            backends[n % backends.length] as FullBackend;
          return body(pick(0), pick(backends.length - 1), pick);
        }, options),
    });
}

/** The owner most tests write under. */
export const OWNER = "alice";
/** The prefix of that owner's keys. */
export const PREFIX: string = makePrefix(OWNER);
/** One of that owner's keys. */
export const KEY: string = makeKey(OWNER, "t-1");
/** An hour from now: what is written with it is not left behind. */
export const HOUR: { expiresAt: number } = { expiresAt: Date.now() + 3600_000 };

/** The key of the owner's n-th task; `t-007` sorts as 7 does. */
export function nthKey(n: number, owner = OWNER): string {
  return makeKey(owner, `t-${String(n).padStart(4, "0")}`);
}

/** A record as the MCP adapters write it. */
export function taskJson(
  { task = "t-1", owner = OWNER, createdAt = Date.now(), expiresAt, note }: {
    task?: string;
    owner?: string;
    createdAt?: number;
    expiresAt?: number | null;
    note?: string;
  } = {},
): string {
  return JSON.stringify({
    task: {
      taskId: task,
      status: "working",
      statusMessage: note,
      createdAt: new Date(createdAt).toISOString(),
      lastUpdatedAt: new Date(createdAt).toISOString(),
      ttl: 3600_000,
      pollInterval: 500,
    },
    ownerId: owner,
    variables: {},
    result: null,
    requestMethod: "tools/call",
    expiresAt: typeof expiresAt === "number"
      ? new Date(expiresAt).toISOString()
      : expiresAt,
  });
}

/** A record without its etag, once that has been found well-formed. */
export function plain<T extends VersionedRecord>(
  { etag, ...record }: T,
): Omit<T, "etag"> {
  assertMatch(etag, /^[A-Za-z0-9_-]{8,64}$/);
  return record;
}

/** Reads a record without its etag. */
export async function getPlain(
  backend: StorageBackend,
  key: string,
): Promise<Omit<VersionedRecord, "etag">> {
  return plain(await backend.get(key));
}

/** How often {@linkcode before} doubles the time it gives: up to 12.8 s. */
const DOUBLINGS = 7;

/**
 * Runs a body with a time shortly ahead; a body that failed because the time
 * passed it by runs again with twice as long, on an empty storage. So a test
 * says what holds before a moment, however slow the machine is.
 *
 * @returns The time, in epoch milliseconds, that the body was in time for.
 */
export async function before(
  backend: StorageBackend,
  body: (soon: number) => Promise<void>,
): Promise<number> {
  for (let tries = 0;; tries++) {
    const soon = Date.now() + 100 * 2 ** tries;
    try {
      await body(soon);
      return soon;
    } catch (error) {
      if (Date.now() < soon - CLOCK_SKEW_MS || tries === DOUBLINGS) throw error;
      await deleteAll(backend, OWNER);
    }
  }
}

/** The name of a write that a test repeats. */
export function newId(): string {
  return crypto.randomUUID();
}

/** Tries the same at many instances; what the only winner got, and its turn. */
export async function onlyWinner<T>(
  tries: readonly Promise<T>[],
): Promise<
  { turn: number; value: T; losses: PromiseRejectedResult["reason"][] }
> {
  const settled = await Promise.allSettled(tries);
  const won = settled.flatMap((result, turn) =>
    result.status === "fulfilled" ? [{ turn, value: result.value }] : []
  );
  const losses = settled.flatMap((result) =>
    result.status === "rejected" ? [result.reason] : []
  );
  assertEquals(won.length, 1, `winners; losses: ${losses[0]}`);
  return { ...won[0]!, losses };
}

/** How far the storage's clock may be from ours, in milliseconds. */
export const CLOCK_SKEW_MS = 5;

/** Waits until a record is absent; only its expiry may end it. */
export async function untilGone(
  backend: StorageBackend,
  key: string,
): Promise<void> {
  await waitUntil(
    `${key} expired`,
    () =>
      backend.get(key).then(() => false, (error) => {
        if (error instanceof NotFoundError) return true;
        throw error;
      }),
    { deadlineMs: 30_000 },
  );
}

/** Follows the pages of an owner from the first to the last. */
export async function allPages(
  backend: StorageBackend,
  prefix: string,
  options: ListPageOptions,
): Promise<string[][]> {
  const pages: string[][] = [];
  let page = await backend.listPage(prefix, options);
  while (true) {
    pages.push(page.records.map((record) => record.key));
    const cursor = page.nextCursor;
    if (cursor === undefined) return pages;
    page = await backend.listPage(prefix, { ...options, cursor });
  }
}

/** Deletes everything an owner has: what a test wrote without a TTL. */
export async function deleteAll(
  backend: StorageBackend,
  ...owners: string[]
): Promise<void> {
  for (const owner of owners) {
    const records = await backend.listByPrefix(makePrefix(owner));
    for (const { key } of records) await backend.delete(key);
  }
}

/** A fixed time long past, for creation times. */
export const NOON: number = Date.UTC(2026, 0, 1, 12);

/** Writes the owner's n-th task with a creation time of its own. */
export async function at(
  backend: StorageBackend,
  n: number,
  createdAt: number,
): Promise<void> {
  await backend.put(nthKey(n), `record ${n}`, { ...HOUR, createdAt });
}
