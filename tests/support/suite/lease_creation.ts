/**
 * Records that are created under a lease.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  CapacityExceededError,
  LeaseConflictError,
  NotFoundError,
  VersionConflictError,
} from "../../../mod.ts";
import { type ContractTest, HOUR, KEY, newId, nthKey, PREFIX } from "./env.ts";
import { contents, LONG_MS, longLease } from "./lease_env.ts";

const TWO = { instances: 2 };

export function leaseCreationTests(test: ContractTest): void {
  test("record_is_created_under_a_lease", async (backend, other) => {
    const seen: unknown[] = [];
    const { fence } = await backend.leases.create(KEY, "x", longLease(), {
      meta: { ...HOUR, active: true },
    });
    for await (const { data, version, lease } of other.watch(KEY)) {
      seen.push([data, version, lease?.holder, lease?.fence]);
      break;
    }
    assertEquals(seen, [["x", 1, "worker-1", fence]]);
    await assertRejects(
      () => other.leases.acquire(KEY, longLease("worker-2")),
      LeaseConflictError,
    );
    const { records } = await other.listPage(PREFIX, { active: true });
    assertEquals(records.map(({ key }) => key), [KEY]);
  }, TWO);

  test("creation_under_a_lease_is_refused_as_any_creation", async (backend) => {
    const lease = longLease();
    const meta = { ...HOUR, active: true };
    await backend.leases.create(KEY, "x", lease, { meta });
    const before = await contents(backend);
    const error = await assertRejects(
      () => backend.leases.create(KEY, "y", longLease("b"), { meta }),
      VersionConflictError,
    );
    assertEquals([error.expected, error.actual], [0, 1]);
    for (const quota of [{ maxRecords: 1 }, { maxActive: 1 }]) {
      await assertRejects(
        () => backend.leases.create(nthKey(2), "y", lease, { meta, ...quota }),
        CapacityExceededError,
      );
    }
    assertEquals(await contents(backend), before);
  });

  test(
    "creation_under_a_lease_tried_again_is_one_write",
    async (backend, other) => {
      const options = {
        meta: { ...HOUR, operationId: newId() },
        maxRecords: 1,
      };
      const create = () => other.leases.create(KEY, "x", longLease(), options);
      const granted = await create();
      assertEquals(await create(), granted);
      for (let n = 0; n < 20; n++) await backend.put(KEY, `${n}`, HOUR);
      assertEquals(await create(), granted);
      assertEquals((await backend.get(KEY)).version, 21);
      await other.leases.renew(KEY, granted.fence, LONG_MS);
      await backend.delete(KEY);
      // An engine may not know the fence of a lease that has ended.
      await create();
      await assertRejects(() => backend.get(KEY), NotFoundError);
    },
    TWO,
  );
}
