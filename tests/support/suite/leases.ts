/**
 * Taking, renewing and reading leases.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { LeaseConflictError, type LeaseRequest } from "../../../mod.ts";
import { waitUntil } from "../wait.ts";
import { type Anything, unchanged } from "./calls.ts";
import {
  type ContractTest,
  HOUR,
  KEY,
  nthKey,
  onlyWinner,
  PREFIX,
} from "./env.ts";
import {
  contents,
  fenced,
  lapse,
  LONG_MS,
  longLease,
  readLease,
} from "./lease_env.ts";

const TWO = { instances: 2 };

export function leaseTests(test: ContractTest): void {
  test("watch_tells_the_lease_that_its_own_writes_find", async (backend) => {
    await backend.put(KEY, "0", HOUR);
    const watch = backend.watch(KEY)[Symbol.asyncIterator]();
    await watch.next();
    let count = 0;
    /** The lease that the watch tells beside a write, without the time left. */
    const told = async (write: () => Promise<unknown>) => {
      await write();
      const { lease } = (await watch.next()).value!;
      assert(lease === undefined || lease.remainingMs > LONG_MS / 2);
      return lease && [lease.holder, lease.fence];
    };
    const put = () => backend.put(KEY, `${++count}`, HOUR);
    assertEquals(await told(put), undefined);
    const short = { holder: "worker-1", forMs: 1000 };
    const { fence } = await backend.leases.acquire(KEY, short);
    await backend.leases.renew(KEY, fence, LONG_MS);
    assertEquals(await told(put), ["worker-1", fence]);
    const { version } = await backend.get(KEY);
    const fencedWrite = () =>
      backend.putIfVersion(KEY, "fenced", version, { ...HOUR, fence });
    assertEquals(await told(fencedWrite), ["worker-1", fence]);
    await backend.leases.release(KEY, fence);
    assertEquals(await told(put), undefined);
    await watch.return!();
  });

  test(
    "watch_tells_no_lease_that_a_write_between_has_ended",
    async (backend, other) => {
      for (let n = 0; n < 20; n++) {
        const key = nthKey(n);
        const meta = { meta: HOUR };
        const { fence } = await other.leases.create(
          key,
          "1",
          longLease(),
          meta,
        );
        const watch = backend.watch(key)[Symbol.asyncIterator]();
        await watch.next();
        const [, version] = await Promise.all([
          other.putIfVersion(key, "2", 1, {
            ...HOUR,
            fence,
            releaseLease: true,
          }),
          backend.put(key, "3", HOUR),
        ]);
        let record = (await watch.next()).value!;
        while (record.version < 3 && version === 3) {
          record = (await watch.next()).value!;
        }
        if (version === 3) assertEquals(record.lease, undefined);
        await watch.return!();
      }
    },
    TWO,
  );

  test("acquired_lease_is_told_by_every_read", async (backend, other) => {
    await backend.put(KEY, "one", HOUR);
    assertEquals("lease" in await backend.get(KEY), false);
    const { fence } = await backend.leases.acquire(KEY, longLease());
    const reads = [
      await other.get(KEY),
      ...await other.listByPrefix(PREFIX),
      ...(await other.listPage(PREFIX)).records,
    ];
    for await (const record of other.watch(KEY)) {
      reads.push(record);
      break;
    }
    assertEquals(reads.length, 4);
    for (const { lease } of reads) {
      assertEquals([lease?.holder, lease?.fence], ["worker-1", fence]);
      const { remainingMs } = lease!;
      assert(
        remainingMs > 0 && remainingMs <= LONG_MS + 1000,
        `${remainingMs}`,
      );
    }
  }, TWO);

  test("lease_is_told_after_it_has_run_out_too", async (backend) => {
    const { fence } = await backend.leases.create(KEY, "x", longLease(), {
      meta: HOUR,
    });
    await lapse(backend, fence);
    await waitUntil("no time left", async () => {
      const lease = await readLease(backend);
      assertEquals([lease?.holder, lease?.fence], ["worker-1", fence]);
      return lease!.remainingMs <= 0;
    });
  });

  test(
    "lease_changes_neither_text_nor_version_and_makes_no_event",
    async (backend, other) => {
      await backend.put(KEY, "one", HOUR);
      const { data, version, etag } = await backend.get(KEY);
      const seen: number[] = [];
      for await (const record of backend.watch(KEY)) {
        seen.push(record.version);
        if (seen.length === 2) break;
        const { fence } = await other.leases.acquire(KEY, longLease());
        await other.leases.renew(KEY, fence, LONG_MS);
        const read = await other.get(KEY);
        assertEquals([read.data, read.version, read.etag], [
          data,
          version,
          etag,
        ]);
        await other.leases.release(KEY, fence);
        assertEquals(await other.get(KEY), { data, version, etag });
        await other.put(KEY, "two", HOUR);
      }
      assertEquals(seen, [1, 2]);
    },
    TWO,
  );

  test(
    "acquire_is_refused_while_another_has_the_lease",
    async (backend, other) => {
      await backend.put(KEY, "x", HOUR);
      const { fence } = await backend.leases.acquire(KEY, longLease());
      const before = await contents(backend);
      const error = await assertRejects(
        () => other.leases.acquire(KEY, longLease("worker-2")),
        LeaseConflictError,
      );
      assertEquals(
        [error.code, error.key, error.holder],
        ["lease_conflict", KEY, "worker-1"],
      );
      assert(error.remainingMs > 0 && error.remainingMs <= LONG_MS);
      assertEquals(await contents(backend), before);
      await backend.leases.renew(KEY, fence, LONG_MS);
    },
    TWO,
  );

  test(
    "acquire_by_the_holder_keeps_the_fence_and_counts_from_now",
    async (backend, other) => {
      await backend.put(KEY, "x", HOUR);
      const short = { holder: "worker-1", forMs: LONG_MS / 2 };
      const { fence } = await backend.leases.acquire(KEY, short);
      assertEquals(await other.leases.acquire(KEY, longLease()), { fence });
      assert((await readLease(other))!.remainingMs > LONG_MS / 2);
      assertEquals(await backend.leases.acquire(KEY, short), { fence });
      assert((await readLease(other))!.remainingMs < LONG_MS * 0.75);
    },
    TWO,
  );

  test("acquire_takes_a_lease_that_has_run_out", async (backend, other) => {
    await backend.put(KEY, "x", HOUR);
    const short = { holder: "worker-1", forMs: 40 };
    const { fence } = await backend.leases.acquire(KEY, short);
    const later = await waitUntil(
      "the lease run out",
      () =>
        other.leases.acquire(KEY, longLease("worker-2")).catch((error) => {
          assert(error instanceof LeaseConflictError);
          assertEquals(error.holder, "worker-1");
          return undefined;
        }),
    );
    assert(later!.fence > fence);
    assertEquals((await readLease(backend))?.holder, "worker-2");
    const renewal = () => backend.leases.renew(KEY, fence, LONG_MS);
    await fenced(backend, fence, renewal);
  }, TWO);

  test(
    "fence_grows_with_every_acquisition_over_all_lives",
    async (backend, other) => {
      const fences: number[] = [];
      for (let life = 0; life < 5; life++) {
        const holder = (n: number) => longLease(`worker-${life}-${n}`);
        const options = { meta: HOUR };
        const first = await backend.leases.create(KEY, "x", holder(0), options);
        await backend.leases.release(KEY, first.fence);
        const second = await other.leases.acquire(KEY, holder(1));
        await lapse(other, second.fence);
        const third = await backend.leases.acquire(KEY, holder(2));
        fences.push(first.fence, second.fence, third.fence);
        if (life % 2 === 0) await other.delete(KEY);
        else await other.put(KEY, "late", { expiresAt: 1 });
      }
      assertEquals(fences, [...new Set(fences)].sort((a, b) => a - b));
      assert(fences.every(Number.isSafeInteger));
    },
    TWO,
  );

  test("one_of_32_concurrent_acquires_wins", async (backend, _, pick) => {
    await backend.put(KEY, "x", HOUR);
    for (let round = 0; round < 5; round++) {
      const holder = (n: number) => longLease(`worker-${round}-${n}`);
      const { turn, value, losses } = await onlyWinner(
        Array.from(
          { length: 32 },
          (_, n) => pick(n).leases.acquire(KEY, holder(n)),
        ),
      );
      for (const error of losses) {
        assert(error instanceof LeaseConflictError);
        assertEquals(error.holder, holder(turn).holder);
      }
      // Released or run out, the next round has one winner again.
      if (round % 2 === 0) await backend.leases.release(KEY, value.fence);
      else await lapse(backend, value.fence);
    }
  }, { instances: 4 });

  test("renewed_lease_lasts_from_now", async (backend, other) => {
    await backend.put(KEY, "x", HOUR);
    const lease = { holder: "worker-1", forMs: LONG_MS / 2 };
    const { fence } = await backend.leases.acquire(KEY, lease);
    for (const forMs of [LONG_MS, LONG_MS]) {
      await other.leases.renew(KEY, fence, forMs);
      const { remainingMs } = (await readLease(backend))!;
      assert(remainingMs > LONG_MS / 2 && remainingMs <= LONG_MS + 1000);
    }
    await other.leases.renew(KEY, fence, 1);
    await waitUntil(
      "the lease run out",
      () =>
        backend.leases.acquire(KEY, longLease("worker-2")).catch((error) => {
          assert(error instanceof LeaseConflictError);
        }),
    );
  }, TWO);

  test(
    "renewal_is_refused_when_the_lease_has_ended",
    async (backend, other) => {
      await backend.put(KEY, "x", HOUR);
      const renew = (fence: number) =>
        fenced(backend, fence, () => other.leases.renew(KEY, fence, LONG_MS));
      await renew(1);
      const first = await backend.leases.acquire(KEY, longLease("a"));
      await renew(first.fence + 1);
      await lapse(backend, first.fence);
      await renew(first.fence);
      const second = await backend.leases.acquire(KEY, longLease("b"));
      await renew(first.fence);
      await backend.leases.release(KEY, second.fence);
      await renew(second.fence);
      // A lease of an earlier life is none of this one.
      const third = await backend.leases.acquire(KEY, longLease("c"));
      await backend.delete(KEY);
      await backend.put(KEY, "new", HOUR);
      await renew(third.fence);
    },
    TWO,
  );

  test("holder_may_be_any_text", async (backend) => {
    await backend.put(KEY, "x", HOUR);
    const names = ["a|b", "|", "1|2|3", " ", "\0", "\n", "🦕", "é:{}", "0"];
    for (const holder of [...names, "x".repeat(500)]) {
      const { fence } = await backend.leases.acquire(KEY, longLease(holder));
      assertEquals((await readLease(backend))?.holder, holder);
      assertEquals(await backend.leases.acquire(KEY, longLease(holder)), {
        fence,
      });
      await backend.leases.release(KEY, fence);
    }
  });

  test("malformed_leases_are_refused_and_change_nothing", async (backend) => {
    const { leases } = backend;
    const requests: [Anything, typeof RangeError | typeof TypeError][] = [
      ...[0, -1, 0.5, NaN, Infinity, 2 ** 31].map((forMs) =>
        [{ holder: "a", forMs }, RangeError] as [
          LeaseRequest,
          typeof RangeError,
        ]
      ),
      [{ holder: "a", forMs: "1" }, TypeError],
      [{ holder: "a" }, TypeError],
      [{ holder: "", forMs: 1 }, TypeError],
      [{ holder: "\ud800", forMs: 1 }, TypeError],
      [{ holder: 7, forMs: 1 }, TypeError],
    ];
    await unchanged(backend, async () => {
      for (const [lease, type] of requests) {
        const create = () =>
          leases.create(nthKey(9), "x", lease, { meta: HOUR });
        await assertRejects(create, type);
        await assertRejects(() => leases.acquire(nthKey(1), lease), type);
        if (lease.holder !== "a") continue;
        await assertRejects(
          () => leases.renew(nthKey(1), 1, lease.forMs),
          type,
        );
      }
      for (
        const fence of [0, -1, 0.5, NaN, Infinity, "1", null] as Anything[]
      ) {
        const type = typeof fence === "number" ? RangeError : TypeError;
        await assertRejects(() => leases.renew(nthKey(1), fence, 1), type);
        await assertRejects(() => leases.release(nthKey(1), fence), type);
        const expire = () => leases.expire(nthKey(1), fence, "x", 1, HOUR);
        await assertRejects(expire, type);
      }
    });
  });
}
