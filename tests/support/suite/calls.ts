/**
 * Calls by the handful, for the tests of what every call must refuse.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { StorageBackend } from "../../../mod.ts";
import { HOUR, nthKey, PREFIX } from "./env.ts";

/** What a caller without types may pass. */
// deno-lint-ignore no-explicit-any
export type Anything = any;

/** Every call that takes a key. */
export function callsOf(
  backend: StorageBackend,
  key: string,
): (() => Promise<unknown>)[] {
  return [
    () => backend.get(key),
    () => backend.put(key, "x", HOUR),
    () => backend.putIfVersion(key, "x", 1, HOUR),
    () => backend.delete(key),
    () => backend.create(key, "x", { meta: HOUR }),
    async () => {
      for await (const _ of backend.watch(key)) break;
    },
    ...leaseCalls(backend, key),
    ...stepCalls(backend, key),
    ...dueCalls(backend, key),
  ];
}

function leaseCalls(
  { leases }: StorageBackend,
  key: string,
): (() => Promise<unknown>)[] {
  const lease = { holder: "worker-1", forMs: 60_000 };
  return leases === undefined ? [] : [
    () => leases.acquire(key, lease),
    () => leases.renew(key, 1, 60_000),
    () => leases.release(key, 1),
    () => leases.create(key, "x", lease, { meta: HOUR }),
    () => leases.expire(key, 1, "x", 1, HOUR),
  ];
}

function stepCalls(
  { steps }: StorageBackend,
  key: string,
): (() => Promise<unknown>)[] {
  return steps === undefined ? [] : [
    () => steps.open(key, 1),
    () => steps.record(key, 1, "step", "x"),
  ];
}

function dueCalls(
  { due }: StorageBackend,
  key: string,
): (() => Promise<unknown>)[] {
  return due === undefined ? [] : [
    () => due.offer(key, "queue", 1, HOUR),
    () => due.withdraw(key, "queue"),
  ];
}

/** Every write: of a record that is stored, and of a new one. */
export function writesOf(
  backend: StorageBackend,
  data: Anything,
  meta?: Anything,
): (() => Promise<unknown>)[] {
  return [
    () => backend.put(nthKey(1), data, meta),
    () => backend.put(nthKey(9), data, meta),
    () => backend.putIfVersion(nthKey(1), data, 1, meta),
    () => backend.create(nthKey(9), data, { meta }),
  ];
}

/** Whatever the body does must leave these two records and no other. */
export async function unchanged(
  backend: StorageBackend,
  body: () => Promise<void>,
): Promise<void> {
  await backend.delete(nthKey(1));
  await backend.delete(nthKey(2));
  await backend.put(nthKey(1), "one", { ...HOUR, createdAt: 1 });
  await backend.put(nthKey(2), "two", { ...HOUR, createdAt: 2 });
  const before = await backend.listByPrefix(PREFIX);
  assertEquals(before.length, 2);
  await body();
  assertEquals(await backend.listByPrefix(PREFIX), before);
}
