/**
 * Writes that rely on a lease: refused once it has ended.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { VersionConflictError } from "../../../mod.ts";
import { type Anything, unchanged } from "./calls.ts";
import { type ContractTest, HOUR, KEY, newId, nthKey } from "./env.ts";
import {
  contents,
  fenced,
  lapse,
  LONG_MS,
  longLease,
  readLease,
} from "./lease_env.ts";

const TWO = { instances: 2 };

export function fencedWriteTests(test: ContractTest): void {
  test(
    "fenced_write_succeeds_while_the_lease_holds",
    async (backend, other) => {
      const { fence } = await backend.leases.create(KEY, "1", longLease(), {
        meta: HOUR,
      });
      for (const version of [1, 2, 3]) {
        const meta = { ...HOUR, fence };
        const data = `${version + 1}`;
        await other.putIfVersion(KEY, data, version, meta);
      }
      const { data, version, lease } = await backend.get(KEY);
      assertEquals([data, version, lease?.fence], ["4", 4, fence]);
      // The version still decides, too.
      const before = await contents(backend);
      await assertRejects(
        () => other.putIfVersion(KEY, "x", 3, { ...HOUR, fence }),
        VersionConflictError,
      );
      assertEquals(await contents(backend), before);
    },
    TWO,
  );

  test(
    "fenced_write_is_refused_when_the_lease_has_ended",
    async (backend, other) => {
      await backend.put(KEY, "x", HOUR);
      const write = async (fence: number, releaseLease = false) => {
        const meta = { ...HOUR, fence, releaseLease };
        const late = () => other.putIfVersion(KEY, "late", 1, meta);
        await fenced(backend, fence, late);
      };
      await write(1);
      const first = await backend.leases.acquire(KEY, longLease("a"));
      await write(first.fence - 1);
      await write(first.fence + 1, true);
      await lapse(backend, first.fence);
      await write(first.fence);
      await write(first.fence, true);
      const second = await backend.leases.acquire(KEY, longLease("b"));
      await write(first.fence);
      await write(first.fence, true);
      await backend.leases.release(KEY, second.fence);
      await write(second.fence);
    },
    TWO,
  );

  test("fenced_write_is_refused_in_a_later_life", async (backend) => {
    const options = { meta: HOUR };
    const old = await backend.leases.create(KEY, "1", longLease(), options);
    await backend.delete(KEY);
    const late = () =>
      backend.putIfVersion(KEY, "late", 1, { ...HOUR, fence: old.fence });
    await assertRejects(late, VersionConflictError);
    await backend.put(KEY, "new", HOUR);
    await fenced(backend, old.fence, late);
    await backend.leases.acquire(KEY, longLease());
    await fenced(backend, old.fence, late);
  });

  test("fenced_write_may_release_its_lease", async (backend, other) => {
    const { fence } = await backend.leases.create(KEY, "x", longLease(), {
      meta: HOUR,
    });
    const meta = { ...HOUR, fence, releaseLease: true };
    assertEquals(await backend.putIfVersion(KEY, "done", 1, meta), 2);
    const { data, version, lease } = await other.get(KEY);
    assertEquals([data, version, lease], ["done", 2, undefined]);
    await fenced(other, fence, () => backend.leases.renew(KEY, fence, LONG_MS));
    assertEquals(await backend.leases.release(KEY, fence), true);
    await other.leases.acquire(KEY, longLease("b"));
  }, TWO);

  test("refused_write_releases_no_lease", async (backend) => {
    const { fence } = await backend.leases.create(KEY, "x", longLease(), {
      meta: HOUR,
    });
    const meta = { ...HOUR, fence, releaseLease: true };
    await assertRejects(
      () => backend.putIfVersion(KEY, "done", 2, meta),
      VersionConflictError,
    );
    assertEquals((await readLease(backend))?.fence, fence);
    await backend.leases.renew(KEY, fence, LONG_MS);
  });

  test("fenced_write_tried_again_is_one_write", async (backend, other) => {
    const { fence } = await backend.leases.create(KEY, "x", longLease(), {
      meta: HOUR,
    });
    const meta = {
      ...HOUR,
      fence,
      releaseLease: true,
      operationId: newId(),
    };
    const write = () => other.putIfVersion(KEY, "done", 1, meta);
    assertEquals(await write(), 2);
    // The lease is released by the first try: the second needs it no more.
    assertEquals(await write(), 2);
    const later = await backend.leases.acquire(KEY, longLease("b"));
    assertEquals(await write(), 2);
    assertEquals((await readLease(backend))?.fence, later.fence);
    assertEquals((await backend.get(KEY)).version, 2);
  }, TWO);

  test("unfenced_write_needs_no_lease", async (backend, other) => {
    await backend.leases.create(KEY, "x", longLease(), { meta: HOUR });
    assertEquals(await other.putIfVersion(KEY, "two", 1, HOUR), 2);
    assertEquals(await other.put(KEY, "three", HOUR), 3);
    assertEquals(await other.delete(KEY), true);
  }, TWO);

  test("malformed_fences_are_refused_and_change_nothing", async (backend) => {
    await unchanged(backend, async () => {
      const write = (meta: Anything) => () =>
        backend.putIfVersion(nthKey(1), "x", 1, { ...HOUR, ...meta });
      for (const fence of [0, -1, 0.5, NaN, Infinity]) {
        await assertRejects(write({ fence }), RangeError, "fence");
      }
      for (const fence of ["1", null, {}, 1n]) {
        await assertRejects(write({ fence }), TypeError, "fence");
      }
      // Without a fence it is not known which lease to release.
      await assertRejects(write({ releaseLease: true }), TypeError, "fence");
    });
  });
}
