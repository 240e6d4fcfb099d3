/**
 * What the task suite needs of an engine's test file, and what its tests have
 * in common.
 *
 * @module
 */

import {
  type LeaseOptions,
  makeKey,
  type StorageBackend,
  type TaskRecord,
  type TaskStatus,
  type TaskStore,
  type TaskStoreOptions,
} from "../../../mod.ts";

/** One test's own storage, empty at first. */
export interface TestEnv {
  /**
   * Opens a store on an instance of its own, which the ground closes. Where
   * an engine has only one instance, all stores share it.
   */
  open(options?: TaskStoreOptions): Promise<TaskStore>;
  /**
   * Lets time pass for the storage and for every store without a clock of its
   * own: at once where the clock is the ground's, really on Redis.
   */
  elapse(ms: number): Promise<void>;
  /** The time, in epoch milliseconds. */
  now(): number;
  /** Whether `elapse` takes no time. */
  readonly movesTheClock: boolean;
}

/** How a ground is made. */
export interface GroundOptions {
  /** The `maxRecordBytes` of every instance. */
  readonly maxRecordBytes?: number;
  /** Whether a clock of the ground's moves by `elapse` alone. */
  readonly frozen?: boolean;
}

/** An engine the suite can be run for. */
export interface EngineUnderTest {
  /** Stands in front of every test name: `redis`, `memory`. */
  readonly name: string;
  /** Whether its tests are ignored here. */
  readonly ignore?: boolean;
  /** Makes a ground, hands it to the body, and cleans up. */
  use(
    body: (ground: TestEnv) => Promise<void>,
    options?: GroundOptions,
  ): Promise<void>;
}

/** Registers one test of the suite. */
export type TaskTest = (
  name: string,
  body: (ground: TestEnv) => Promise<void>,
  options?: GroundOptions,
) => void;

/** The test registrar of an engine. */
export function taskTest(under: EngineUnderTest): TaskTest {
  return (name, body, options) =>
    Deno.test({
      name: `${under.name}_${name}`,
      ignore: under.ignore ?? false,
      fn: () => under.use(body, options),
    });
}

/** The owner most tests work for. */
export const OWNER = "alice";
/** An owner who must not see any of it. */
export const STRANGER = "mallory";
/** The method most tasks are made by. */
export const METHOD = "tools/call";
/** More tasks than any test makes. */
export const ROOMY = {
  maxTasksPerOwner: 10_000,
  maxActiveTasksPerOwner: 10_000,
};

/** Makes a task and takes it to a state. */
export async function taskIn(
  store: TaskStore,
  status: TaskStatus,
  owner = OWNER,
): Promise<TaskRecord> {
  const record = await store.create(owner, METHOD);
  if (status === "working") return record;
  return await store.updateStatus(record, owner, status, `now ${status}`);
}

/**
 * A lease long enough for what a test does under it; where time is real, short
 * enough to be waited for.
 */
export function leaseFor(
  ground: TestEnv,
  holder = "worker-1",
): LeaseOptions {
  return { holder, forMs: ground.movesTheClock ? 60_000 : 1500 };
}

/** The time between two looks at a lease that runs out. */
export async function untilLost(
  ground: TestEnv,
  { forMs }: LeaseOptions,
): Promise<void> {
  await ground.elapse(ground.movesTheClock ? forMs : forMs + 20);
}

/** A record as two reads of it agree on: without estimates of the time. */
export function settled({ lease, ...record }: TaskRecord): object {
  return lease === undefined
    ? record
    : { ...record, lease: { holder: lease.holder, fence: lease.fence } };
}

/** What is stored: parsed, as text, and its version. */
export async function stored(
  backend: StorageBackend,
  taskId: string,
  owner = OWNER,
): Promise<{ json: JsonObject; data: string; version: number }> {
  const { data, version } = await backend.get(makeKey(owner, taskId));
  return { json: JSON.parse(data), data, version };
}

/** A JSON object of which nothing is known. */
// deno-lint-ignore no-explicit-any
export type JsonObject = Record<string, any>;

/** Writes what a store would not write; it ends in an hour. */
export async function seedRaw(
  backend: StorageBackend,
  taskId: string,
  json: unknown,
  owner = OWNER,
): Promise<void> {
  const data = typeof json === "string" ? json : JSON.stringify(json);
  await backend.put(makeKey(owner, taskId), data, {
    expiresAt: Date.now() + 3600_000,
    createdAt: Date.now(),
  });
}

/** Puts a record into the storage at a version of the forger's choice. */
export async function plant(
  backend: StorageBackend,
  taskId: string,
  json: JsonObject | string,
  version: number,
): Promise<void> {
  await backend.delete(makeKey(OWNER, taskId));
  for (let n = 1; n <= version; n++) await seedRaw(backend, taskId, json);
}

/** A record as pmcp-tasks writes it, as JSON. */
export function recordJson(
  taskId: string,
  { task, ...fields }: JsonObject = {},
): JsonObject {
  const now = new Date().toISOString();
  return {
    task: {
      taskId,
      status: "working",
      createdAt: now,
      lastUpdatedAt: now,
      ttl: 3600_000,
      pollInterval: 500,
      ...task,
    },
    ownerId: OWNER,
    variables: {},
    result: null,
    requestMethod: METHOD,
    expiresAt: new Date(Date.now() + 3600_000).toISOString(),
    ...fields,
  };
}

/**
 * The same storage, but something happens before each call of a method (of the
 * backend or of its leases): the moment between a store's read and its write,
 * which no timing hits for sure.
 */
export function interleaved(
  backend: StorageBackend,
  before: () => Promise<unknown>,
  method = "putIfVersion",
): StorageBackend {
  return intercepted(backend, async (name, call) => {
    if (name === method) await before();
    return await call();
  });
}

/**
 * The same storage, whose calls a test may count, delay or fail. Methods of
 * the leases have `leases.` in front of their names.
 */
export function intercepted(
  backend: StorageBackend,
  around: (name: string, call: () => Promise<unknown>) => Promise<unknown>,
): StorageBackend {
  const wrap = <T extends object>(target: T, prefix: string): T =>
    new Proxy(target, {
      get(_, name) {
        const value = Reflect.get(target, name, target);
        if (name === "leases" && typeof value === "object") {
          return wrap(value as object, "leases.");
        }
        if (typeof value !== "function") return value;
        if (name === "watch") return value.bind(target);
        return (...args: unknown[]) =>
          around(
            prefix + String(name),
            () => Promise.resolve(value.apply(target, args)),
          );
      },
    });
  return wrap(backend, "");
}

/** The value as one of a class; fails, with what it is, if it is not. */
export function as<T>(
  kind: abstract new (...args: never[]) => T,
  value: unknown,
  what = "",
): T {
  if (value instanceof kind) return value;
  throw new Error(`${what}: expected ${kind.name}, got ${value}`);
}

/** What a promise is rejected with; fails if it is not, or with another. */
export async function rejection<T extends Error>(
  promise: Promise<unknown>,
  kind: abstract new (...args: never[]) => T,
  what = "",
): Promise<T> {
  const settled = await Promise.allSettled([promise]);
  return as(kind, reasonsOf(settled)[0] ?? "no rejection", what);
}

/**
 * A promise that is awaited later: should the test fail before that, its own
 * rejection is not a second failure, which would end all other tests.
 */
export function started<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** What those of them that were fulfilled gave. */
export function valuesOf<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  return settled.flatMap((one) =>
    one.status === "fulfilled" ? [one.value] : []
  );
}

/** Why those of them that were rejected were. */
export function reasonsOf(
  settled: readonly PromiseSettledResult<unknown>[],
): unknown[] {
  return settled.flatMap((one) =>
    one.status === "rejected" ? [one.reason] : []
  );
}

/** The first n numbers, mapped. */
export function times<T>(n: number, make: (i: number) => T): T[] {
  return Array.from({ length: n }, (_, i) => make(i));
}

/** Runs steps in batches, so that a thousand do not all wait on each other. */
export async function inBatches(
  count: number,
  size: number,
  step: (i: number) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < count; from += size) {
    await Promise.all(
      times(Math.min(size, count - from), (i) => step(from + i)),
    );
  }
}
