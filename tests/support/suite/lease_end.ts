/**
 * How leases end: released, expired by a write, or with their record.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  LeaseConflictError,
  NotFoundError,
  VersionConflictError,
} from "../../../mod.ts";
import { type ContractTest, HOUR, KEY, newId, untilGone } from "./env.ts";
import {
  contents,
  fenced,
  lapse,
  LONG_MS,
  longLease,
  readLease,
} from "./lease_env.ts";

const TWO = { instances: 2 };

export function leaseEndTests(test: ContractTest): void {
  test("released_lease_is_gone", async (backend, other) => {
    await backend.put(KEY, "x", HOUR);
    const { fence } = await backend.leases.acquire(KEY, longLease());
    assertEquals(await other.leases.release(KEY, fence), true);
    assertEquals(await readLease(backend), undefined);
    // An earlier try released it.
    assertEquals(await backend.leases.release(KEY, fence), true);
    await backend.leases.acquire(KEY, longLease("worker-2"));
  }, TWO);

  test("release_of_a_lease_that_has_run_out_returns_true", async (backend) => {
    await backend.put(KEY, "x", HOUR);
    const { fence } = await backend.leases.acquire(KEY, longLease());
    await lapse(backend, fence);
    assertEquals(await backend.leases.release(KEY, fence), true);
    assertEquals(await readLease(backend), undefined);
  });

  test("release_leaves_a_later_lease_alone", async (backend, other) => {
    await backend.put(KEY, "x", HOUR);
    const first = await backend.leases.acquire(KEY, longLease("a"));
    await lapse(backend, first.fence);
    const second = await other.leases.acquire(KEY, longLease("b"));
    const before = await contents(backend);
    assertEquals(await backend.leases.release(KEY, first.fence), false);
    assertEquals(await contents(backend), before);
    // Run out, it is still a later one.
    await lapse(other, second.fence);
    assertEquals(await backend.leases.release(KEY, first.fence), false);
    assertEquals((await readLease(backend))?.fence, second.fence);
  }, TWO);

  test("lease_ends_with_its_record", async (backend) => {
    const ends = [
      () => backend.delete(KEY),
      () => backend.put(KEY, "late", { expiresAt: 1 }),
      async () => {
        await backend.put(KEY, "short", { expiresAt: Date.now() + 20 });
        await untilGone(backend, KEY);
      },
    ];
    for (const end of ends) {
      await backend.leases.create(KEY, "x", longLease("a"), { meta: HOUR });
      await end();
      await backend.put(KEY, "new", HOUR);
      assertEquals(await readLease(backend), undefined);
      await backend.leases.acquire(KEY, longLease("b"));
      await backend.delete(KEY);
    }
  });

  test("lease_stays_through_every_other_write", async (backend, other) => {
    const { fence } = await backend.leases.create(KEY, "x", longLease(), {
      meta: HOUR,
    });
    await other.put(KEY, "two", HOUR);
    await other.putIfVersion(KEY, "three", 2, { ...HOUR, active: true });
    await other.putIfVersion(KEY, "four", await other.get(KEY), HOUR);
    const lease = await readLease(backend);
    assertEquals([lease?.holder, lease?.fence], ["worker-1", fence]);
    await backend.leases.renew(KEY, fence, LONG_MS);
  }, TWO);

  test(
    "expire_writes_a_record_whose_lease_has_run_out",
    async (backend, other) => {
      const { fence } = await backend.leases.create(KEY, "x", longLease(), {
        meta: { ...HOUR, active: true },
      });
      await lapse(backend, fence);
      const version2 = await other.leases.expire(KEY, fence, "lost", 1, HOUR);
      assertEquals(version2, 2);
      const { data, version, lease } = await backend.get(KEY);
      assertEquals([data, version, lease], ["lost", 2, undefined]);
      await fenced(
        backend,
        fence,
        () => backend.leases.renew(KEY, fence, LONG_MS),
      );
    },
    TWO,
  );

  test("expire_is_refused_while_the_lease_holds", async (backend, other) => {
    const { fence } = await backend.leases.create(KEY, "x", longLease(), {
      meta: HOUR,
    });
    const before = await contents(backend);
    const error = await assertRejects(
      () => other.leases.expire(KEY, fence, "lost", 1, HOUR),
      LeaseConflictError,
    );
    assertEquals([error.key, error.holder], [KEY, "worker-1"]);
    assert(error.remainingMs > 0 && error.remainingMs <= LONG_MS);
    assertEquals(await contents(backend), before);
  }, TWO);

  test("expire_is_refused_when_the_lease_was_released", async (backend) => {
    await backend.put(KEY, "x", HOUR);
    const { fence } = await backend.leases.acquire(KEY, longLease());
    await backend.leases.release(KEY, fence);
    const expire = () => backend.leases.expire(KEY, fence, "lost", 1, HOUR);
    await fenced(backend, fence, expire);
  });

  test("expire_is_refused_when_a_later_lease_exists", async (backend) => {
    await backend.put(KEY, "x", HOUR);
    const first = await backend.leases.acquire(KEY, longLease("a"));
    await lapse(backend, first.fence);
    const second = await backend.leases.acquire(KEY, longLease("b"));
    const expire = () =>
      backend.leases.expire(KEY, first.fence, "lost", 1, HOUR);
    await fenced(backend, first.fence, expire);
    await lapse(backend, second.fence);
    await fenced(backend, first.fence, expire);
  });

  test("expire_compares_as_a_swap_does", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    const old = await backend.get(KEY);
    const { fence } = await backend.leases.acquire(KEY, longLease());
    await backend.put(KEY, "two", HOUR);
    await lapse(backend, fence);
    const before = await contents(backend);
    for (const expected of [1, 3, old, { version: 2, etag: old.etag }]) {
      const error = await assertRejects(
        () => backend.leases.expire(KEY, fence, "lost", expected, HOUR),
        VersionConflictError,
      );
      assertEquals([error.key, error.actual], [KEY, 2]);
      assertEquals(await contents(backend), before);
    }
    const read = await backend.get(KEY);
    assertEquals(await backend.leases.expire(KEY, fence, "x", read, HOUR), 3);
  });

  test("expire_tried_again_is_one_write", async (backend, other) => {
    const { fence } = await backend.leases.create(KEY, "x", longLease(), {
      meta: HOUR,
    });
    await lapse(backend, fence);
    const meta = { ...HOUR, operationId: newId() };
    const expire = () => other.leases.expire(KEY, fence, "lost", 1, meta);
    assertEquals(await expire(), 2);
    assertEquals((await backend.get(KEY)).etag, meta.operationId);
    assertEquals(await expire(), 2);
    for (let n = 0; n < 20; n++) await backend.put(KEY, `${n}`, HOUR);
    await backend.leases.acquire(KEY, longLease("b"));
    const before = await contents(backend);
    assertEquals(await expire(), 2);
    assertEquals(await contents(backend), before);
  }, TWO);

  test("leases_of_an_absent_record_return_not_found", async (backend) => {
    const { leases } = backend;
    const calls = [
      () => leases.acquire(KEY, longLease()),
      () => leases.renew(KEY, 1, LONG_MS),
      () => leases.release(KEY, 1),
      () => leases.expire(KEY, 1, "lost", 1, HOUR),
    ];
    const refused = async () => {
      for (const call of calls) {
        const error = await assertRejects(call, NotFoundError);
        assertEquals(error.key, KEY);
      }
    };
    await refused();
    await leases.create(KEY, "x", longLease(), { meta: HOUR });
    await backend.delete(KEY);
    await refused();
    const soon = { expiresAt: Date.now() + 30 };
    await leases.create(KEY, "x", longLease(), { meta: soon });
    await untilGone(backend, KEY);
    await refused();
    assertEquals(await contents(backend), []);
  });
}
