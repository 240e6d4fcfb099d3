/**
 * Options belong to their caller, who may change them at any time: each is read
 * once, so that what was checked is what is done.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import type { Anything } from "./calls.ts";
import { type ContractTest, HOUR, KEY, newId, NOON, PREFIX } from "./env.ts";
import { LONG_MS, readLease } from "./lease_env.ts";

/** Tests of what every backend has. */
export function readOnceTests(test: ContractTest): void {
  test("options_of_records_are_read_once", async (backend) => {
    const meta = () =>
      once({
        ...HOUR,
        createdAt: NOON,
        active: true,
        operationId: newId(),
      });
    const options = once({ meta: meta(), maxRecords: 5, maxActive: 5 });
    assertEquals(await backend.create(KEY, "one", options), 1);
    assertEquals(await backend.put(KEY, "two", meta()), 2);
    const { version, etag } = await backend.get(KEY);
    const known = once({ ...HOUR, createdAt: NOON, active: true });
    const expected = once({ version, etag, meta: known });
    assertEquals(await backend.putIfVersion(KEY, "three", expected, meta()), 3);
    const page = once({
      cursor: undefined,
      limit: 1,
      order: "oldest" as const,
      active: true,
    });
    const { records } = await backend.listPage(PREFIX, page);
    assertEquals(records.map(({ data }) => data), ["three"]);
    const read = await backend.get(KEY);
    const deletion = once({
      operationId: newId(),
      expected: once({ version: 3, etag: read.etag, meta: undefined }),
    });
    assertEquals(await backend.delete(KEY, deletion), true);
  });

  test("malformed_hint_is_refused", async (backend) => {
    await backend.create(KEY, "one", { meta: HOUR });
    for (const meta of [null, 7, "x"] as Anything[]) {
      await assertRejects(
        () => backend.putIfVersion(KEY, "x", { version: 1, meta }, HOUR),
        TypeError,
        "meta",
      );
    }
  });
}

/** Tests of leases. */
export function leasesReadOnceTests(test: ContractTest): void {
  test("options_of_leases_are_read_once", async (backend) => {
    const lease = () => once({ holder: "worker-1", forMs: LONG_MS });
    const { fence } = await backend.leases.create(
      KEY,
      "one",
      lease(),
      once({ meta: once({ ...HOUR }), maxRecords: 5, maxActive: 5 }),
    );
    assertEquals(await backend.leases.acquire(KEY, lease()), { fence });
    const { holder, remainingMs = 0 } = await readLease(backend) ?? {};
    assertEquals([holder, remainingMs > 0], ["worker-1", true]);
    const fencing = once({ ...HOUR, fence, releaseLease: true });
    assertEquals(await backend.putIfVersion(KEY, "two", 1, fencing), 2);
    assertEquals(await readLease(backend), undefined);
  });

  test("options_changed_after_the_call_change_nothing", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    const lease = { holder: "worker-1", forMs: LONG_MS };
    const asked = backend.leases.acquire(KEY, lease);
    Object.assign(lease, { holder: "", forMs: NaN });
    const { fence } = await asked;
    const meta = { ...HOUR, fence, releaseLease: false };
    const written = backend.putIfVersion(KEY, "two", 1, meta);
    Object.assign(meta, { fence: NaN, releaseLease: true, expiresAt: 1 });
    assertEquals(await written, 2);
    const { holder } = await readLease(backend) ?? {};
    assertEquals(holder, "worker-1");
  });

  test("release_that_is_no_boolean_is_refused", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    const lease = { holder: "worker-1", forMs: LONG_MS };
    const { fence } = await backend.leases.acquire(KEY, lease);
    for (const releaseLease of ["no", 1, null] as Anything[]) {
      for (const  of of[{ fence }, {}]) {
        await assertRejects(
          () =>
            backend.putIfVersion(KEY, "x", 1, { ...HOUR, ...of, releaseLease }),
          TypeError,
          "releaseLease",
        );
      }
    }
    assertEquals((await readLease(backend))?.fence, fence);
  });
}

/** An object that fails the test where a property is read a second time. */
function once<T extends object>(values: T): T {
  const seen = new Set<string>();
  const object = {};
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(object, name, {
      enumerable: true,
      get() {
        if (seen.has(name)) throw new Error(`${name} is read a second time`);
        seen.add(name);
        return value;
      },
    });
  }
  return object as T;
}
