/**
 * What the tests of leases, steps and fenced writes need.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  FencedError,
  type LeaseRequest,
  type LeaseState,
} from "../../../mod.ts";
import { waitUntil } from "../wait.ts";
import { type FullBackend, KEY, PREFIX } from "./env.ts";

/** So long that no test outlasts it. */
export const LONG_MS = 3600_000;

/** A lease that no test outlasts. */
export function longLease(holder = "worker-1"): LeaseRequest {
  return { holder, forMs: LONG_MS };
}

/** The lease of the record, as it is read. */
export async function readLease(
  backend: FullBackend,
  key = KEY,
): Promise<LeaseState | undefined> {
  return (await backend.get(key)).lease;
}

/** Shortens a lease and waits until it has run out, by the storage's clock. */
export async function lapse(
  backend: FullBackend,
  fence: number,
  key = KEY,
): Promise<void> {
  await waitUntil(
    "the lease run out",
    () =>
      backend.leases.renew(key, fence, 1).then(() => false, (error) => {
        if (error instanceof FencedError) return true;
        throw error;
      }),
    { deadlineMs: 30_000 },
  );
}

/** The call must find the lease ended, and leave everything as it was. */
export async function fenced(
  backend: FullBackend,
  fence: number,
  call: () => Promise<unknown>,
  key = KEY,
): Promise<void> {
  const before = await contents(backend);
  const error = await assertRejects(call, FencedError);
  assertEquals([error.code, error.key, error.fence], ["fenced", key, fence]);
  assertEquals(await contents(backend), before);
}

/** All that a refused call must leave as it was. */
export async function contents(backend: FullBackend): Promise<unknown> {
  const records = await backend.listByPrefix(PREFIX);
  return records.map(({ lease, ...record }) => [
    record,
    lease?.holder,
    lease?.fence,
  ]);
}
