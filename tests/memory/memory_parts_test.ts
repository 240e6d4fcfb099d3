/**
 * What `MemoryBackend` promises of leases, hints and names of writes to the
 * millisecond, on a clock of the test's own.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  FencedError,
  LeaseConflictError,
  makeKey,
  makePrefix,
  MemoryBackend,
} from "../../mod.ts";
import { newId } from "../support/suite/env.ts";

const KEY = makeKey("alice", "t-1");
const LEASE = { holder: "worker-1", forMs: 300 };

/** A backend and the hand of its clock. */
function withClock(now = 1_000_000) {
  const clock = { now };
  return { clock, backend: new MemoryBackend({ clock: () => clock.now }) };
}

Deno.test("memory_lease_ends_at_its_very_millisecond", async () => {
  const { clock, backend } = withClock();
  await using _ = backend;
  const { leases, steps } = backend;
  const { fence } = await leases.create(KEY, "x", LEASE);
  const remaining = async () => (await backend.get(KEY)).lease?.remainingMs;
  assertEquals(await remaining(), 300);
  clock.now += 299;
  assertEquals(await remaining(), 1);
  const error = await assertRejects(
    () => leases.acquire(KEY, { ...LEASE, holder: "worker-2" }),
    LeaseConflictError,
  );
  assertEquals(error.remainingMs, 1);
  assertEquals(await backend.putIfVersion(KEY, "y", 1, { fence }), 2);
  await assertRejects(
    () => leases.expire(KEY, fence, "lost", 2),
    LeaseConflictError,
  );
  clock.now += 1;
  assertEquals(await remaining(), 0);
  for (
    const call of [
      () => leases.renew(KEY, fence, 300),
      () => backend.putIfVersion(KEY, "z", 2, { fence }),
      () => steps.open(KEY, fence),
      () => steps.record(KEY, fence, "charge", "x"),
    ]
  ) await assertRejects(call, FencedError);
  clock.now += 50;
  assertEquals(await remaining(), -50);
  assertEquals(await leases.expire(KEY, fence, "lost", 2), 3);
});

Deno.test("memory_renewal_and_acquisition_count_from_now", async () => {
  const { clock, backend } = withClock();
  await using _ = backend;
  await backend.put(KEY, "x");
  const { fence } = await backend.leases.acquire(KEY, LEASE);
  clock.now += 200;
  await backend.leases.renew(KEY, fence, 300);
  clock.now += 299;
  assertEquals(await backend.leases.acquire(KEY, LEASE), { fence });
  clock.now += 299;
  await backend.leases.renew(KEY, fence, 1);
  clock.now += 1;
  await assertRejects(
    () => backend.leases.renew(KEY, fence, 1),
    FencedError,
  );
});

Deno.test("memory_fences_are_microseconds_and_grow_when_the_clock_does_not", async () => {
  const { clock, backend } = withClock();
  await using _ = backend;
  const acquire = async () => {
    await backend.put(KEY, "x");
    const { fence } = await backend.leases.acquire(KEY, LEASE);
    await backend.delete(KEY);
    return fence;
  };
  assertEquals(await acquire(), 1_000_000_000);
  assertEquals(await acquire(), 1_000_000_001);
  clock.now -= 1000;
  assertEquals(await acquire(), 1_000_000_002);
  clock.now += 2000;
  assertEquals(await acquire(), 1_001_000_000);
});

Deno.test("memory_recognizes_a_write_for_a_minute_over_an_expiry", async () => {
  const { clock, backend } = withClock();
  await using _ = backend;
  const operationId = newId();
  const write = () =>
    backend.put(KEY, "mine", { expiresAt: clock.now + 10_000, operationId });
  assertEquals(await write(), 1);
  const deletion = { operationId: newId() };
  await backend.put(makeKey("bob", "t-1"), "x");
  await backend.delete(makeKey("bob", "t-1"), deletion);
  clock.now += 30_000;
  // Others write meanwhile, under names of their own.
  for (let n = 0; n < 500; n++) {
    await backend.put(makeKey("carol", `${n}`), "x", { operationId: newId() });
  }
  await backend.put(KEY, "new");
  clock.now += 30_000;
  await backend.put(makeKey("bob", "t-1"), "y", { operationId: newId() });
  assertEquals(await write(), 1);
  assertEquals((await backend.get(KEY)).data, "new");
  assertEquals(await backend.delete(makeKey("bob", "t-1"), deletion), true);
  assertEquals((await backend.get(makeKey("bob", "t-1"))).data, "y");
});

Deno.test("memory_writes_free_what_has_expired_of_idle_owners", async () => {
  const { clock, backend } = withClock();
  await using _ = backend;
  for (let n = 0; n < 100; n++) {
    const meta = { expiresAt: clock.now + 100 };
    await backend.put(makeKey(`owner ${n}`, "t"), "x", meta);
  }
  clock.now += 100;
  for (let n = 0; n < 110; n++) {
    await backend.put(makeKey(`another ${n}`, "t"), "x");
  }
  assertEquals(await backend.cleanupExpired(), 0);
});

Deno.test("memory_hint_is_due_at_its_very_millisecond", async () => {
  const { clock, backend } = withClock();
  await using _ = backend;
  const { due } = backend;
  const claim = () => due.claim(["q"], 10, 300);
  const expiresAt = clock.now + 1000;
  await due.offer(KEY, "q", clock.now + 100, { expiresAt });
  assertEquals(await claim(), { claims: [], nextInMs: 100 });
  clock.now += 99;
  assertEquals(await claim(), { claims: [], nextInMs: 1 });
  clock.now += 1;
  const claims = [{ key: KEY, queue: "q" }];
  assertEquals(await claim(), { claims, nextInMs: 300 });
  clock.now += 299;
  assertEquals(await claim(), { claims: [], nextInMs: 1 });
  clock.now += 1;
  assertEquals(await claim(), { claims, nextInMs: 300 });
  clock.now += 599;
  assertEquals((await claim()).claims, claims);
  clock.now += 1;
  assertEquals(await claim(), { claims: [] });
});

Deno.test("memory_hint_ends_at_its_expiry", async () => {
  const { clock, backend } = withClock();
  await using _ = backend;
  const { due } = backend;
  const [late, short, long] = [0, 100, 200].map((inMs) => ({
    expiresAt: clock.now + inMs,
  }));
  await due.offer(makeKey("alice", "late"), "q", 0, late);
  assertEquals(await due.claim(["q"], 10, 1), { claims: [] });
  for (const [task, ...ends] of [["a", long, short], ["b", short, long]]) {
    const key = makeKey("alice", String(task));
    for (const end of ends) await due.offer(key, "q", 0, end as typeof long);
  }
  clock.now += 100;
  const { claims } = await due.claim(["q"], 10, 1);
  assertEquals(claims, [{ key: makeKey("alice", "b"), queue: "q" }]);
  assertEquals(await due.withdraw(makeKey("alice", "a"), "q"), false);
});

Deno.test("memory_claims_are_the_earliest_of_all_queues", async () => {
  const { backend } = withClock();
  await using _ = backend;
  const { due } = backend;
  const order = [5, 2, 9, 1, 7, 3];
  for (const [n, atMs] of order.entries()) {
    await due.offer(makeKey("a", `${atMs}`), n % 2 === 0 ? "q" : "r", atMs);
  }
  const seen: string[] = [];
  for (let round = 0; round < 3; round++) {
    const { claims } = await due.claim(["q", "r"], 2, 300);
    seen.push(...claims.map(({ key }) => key));
  }
  assertEquals(seen, order.toSorted().map((atMs) => makeKey("a", `${atMs}`)));
});

Deno.test("memory_expired_leases_and_activity_go_with_their_records", async () => {
  const { clock, backend } = withClock();
  await using _ = backend;
  const meta = { expiresAt: clock.now + 100, active: true };
  for (const task of ["a", "b"]) {
    await backend.leases.create(makeKey("alice", task), "x", LEASE, { meta });
  }
  clock.now += 100;
  const page = { active: true };
  assertEquals(await backend.listPage(makePrefix("alice"), page), {
    records: [],
  });
  const options = { meta: { active: true }, maxActive: 1, maxRecords: 1 };
  assertEquals(await backend.create(makeKey("alice", "a"), "y", options), 1);
  assertEquals((await backend.get(makeKey("alice", "a"))).lease, undefined);
  assertEquals(await backend.cleanupExpired(), 0);
});
