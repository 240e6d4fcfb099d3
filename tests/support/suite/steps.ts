/**
 * Recorded steps: each once, and only by the holder of the lease.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  CapacityExceededError,
  InvalidDataError,
  NotFoundError,
} from "../../../mod.ts";
import type { Anything } from "./calls.ts";
import {
  type ContractTest,
  type FullBackend,
  HOUR,
  KEY,
  PREFIX,
  untilGone,
} from "./env.ts";
import { contents, fenced, lapse, LONG_MS, longLease } from "./lease_env.ts";

const TWO = { instances: 2 };

export function stepTests(test: ContractTest): void {
  test("recorded_steps_are_opened_by_name", async (backend, other) => {
    const fence = await begin(backend);
    assertEquals(await opened(other, fence), []);
    for (const name of ["charge", "send"]) {
      assertEquals(
        await backend.steps.record(KEY, fence, name, `${name}d`),
        { data: `${name}d`, recorded: true },
      );
    }
    const steps = [["charge", "charged"], ["send", "sendd"]];
    assertEquals(await opened(other, fence), steps);
    assertEquals(await opened(backend, fence), steps);
  }, TWO);

  test("step_is_recorded_once_under_one_fence", async (backend, other) => {
    const fence = await begin(backend);
    // A repetition is this call's own, for a lost answer loses no step.
    for (const instance of [backend, other, backend]) {
      assertEquals(
        await instance.steps.record(KEY, fence, "charge", "receipt"),
        { data: "receipt", recorded: true },
      );
    }
    const { data } = await other.steps.record(KEY, fence, "charge", "another");
    assertEquals(data, "receipt");
    assertEquals(await opened(backend, fence), [["charge", "receipt"]]);
  }, TWO);

  test("step_of_an_earlier_fence_is_kept", async (backend, other) => {
    const first = await begin(backend);
    await backend.steps.record(KEY, first, "charge", "receipt");
    await backend.leases.release(KEY, first);
    const { fence } = await other.leases.acquire(KEY, longLease("b"));
    assertEquals(await opened(other, fence), [["charge", "receipt"]]);
    for (const data of ["another", "receipt"]) {
      assertEquals(await other.steps.record(KEY, fence, "charge", data), {
        data: "receipt",
        recorded: false,
      });
    }
    await other.steps.record(KEY, fence, "send", "sent");
    assertEquals(await opened(other, fence), [
      ["charge", "receipt"],
      ["send", "sent"],
    ]);
  }, TWO);

  test(
    "steps_are_closed_to_all_but_the_holder_of_the_lease",
    async (backend, other) => {
      await backend.put(KEY, "x", HOUR);
      const closed = async (fence: number) => {
        await fenced(backend, fence, () => other.steps.open(KEY, fence));
        const late = () => other.steps.record(KEY, fence, "late", "x");
        await fenced(backend, fence, late);
      };
      await closed(1);
      const first = await backend.leases.acquire(KEY, longLease("a"));
      await closed(first.fence - 1);
      await closed(first.fence + 1);
      await lapse(backend, first.fence);
      await closed(first.fence);
      const second = await backend.leases.acquire(KEY, longLease("b"));
      await closed(first.fence);
      await backend.leases.release(KEY, second.fence);
      await closed(second.fence);
      const third = await backend.leases.acquire(KEY, longLease("c"));
      assertEquals(await opened(backend, third.fence), []);
    },
    TWO,
  );

  test("steps_stay_through_writes_and_leases", async (backend, other) => {
    const fence = await begin(backend);
    await backend.steps.record(KEY, fence, "charge", "receipt");
    await other.put(KEY, "two", HOUR);
    await other.putIfVersion(KEY, "three", 2, { ...HOUR, fence });
    await other.leases.renew(KEY, fence, LONG_MS);
    await lapse(other, fence);
    await other.leases.expire(KEY, fence, "four", 3, HOUR);
    const later = await other.leases.acquire(KEY, longLease("b"));
    assertEquals(await opened(backend, later.fence), [["charge", "receipt"]]);
  }, TWO);

  test("steps_end_with_their_record", async (backend) => {
    const ends = [
      () => backend.delete(KEY),
      () => backend.put(KEY, "late", { expiresAt: 1 }),
      async () => {
        await backend.put(KEY, "short", { expiresAt: Date.now() + 20 });
        await untilGone(backend, KEY);
      },
    ];
    for (const end of ends) {
      const old = await begin(backend);
      await backend.steps.record(KEY, old, "charge", "receipt");
      await end();
      const fence = await begin(backend);
      assertEquals(await opened(backend, fence), []);
      await backend.delete(KEY);
    }
  });

  test("steps_of_an_absent_record_return_not_found", async (backend) => {
    const refused = async (fence: number) => {
      for (
        const call of [
          () => backend.steps.open(KEY, fence),
          () => backend.steps.record(KEY, fence, "charge", "x"),
        ]
      ) {
        const error = await assertRejects(call, NotFoundError);
        assertEquals(error.key, KEY);
      }
    };
    await refused(1);
    const fence = await begin(backend);
    await backend.delete(KEY);
    await refused(fence);
    assertEquals(await backend.listByPrefix(PREFIX), []);
  });

  test(
    "step_changes_neither_its_record_nor_makes_an_event",
    async (backend, other) => {
      const fence = await begin(backend);
      const before = await contents(other);
      const seen: number[] = [];
      for await (const { version } of backend.watch(KEY)) {
        seen.push(version);
        if (seen.length === 2) break;
        await other.steps.record(KEY, fence, "charge", "receipt");
        await other.steps.open(KEY, fence);
        assertEquals(await contents(other), before);
        await other.put(KEY, "two", HOUR);
      }
      assertEquals(seen, [1, 2]);
    },
    TWO,
  );

  test("steps_of_two_records_have_nothing_in_common", async (backend) => {
    const fence = await begin(backend);
    const twin = `${KEY}2`;
    const other = await backend.leases.create(twin, "x", longLease(), {
      meta: HOUR,
    });
    await backend.steps.record(KEY, fence, "charge", "mine");
    await backend.steps.record(twin, other.fence, "charge", "theirs");
    assertEquals(await opened(backend, fence), [["charge", "mine"]]);
  });

  test("step_names_and_data_may_be_any_text", async (backend) => {
    const fence = await begin(backend);
    const names = [
      ...["data", "version", "expires_at", "ops", "lease", "log", "step:a"],
      ...["a", "a ", "A", ":", "|", "__proto__", "\0", "\n", "é", "🦕"],
      "x".repeat(256),
      "🦕".repeat(64),
    ];
    const texts = ["", "|", "1|2", "null", "\0\r\n", "🦕", "x".repeat(10_000)];
    for (const [n, name] of names.entries()) {
      const data = texts[n % texts.length]!;
      assertEquals(await backend.steps.record(KEY, fence, name, data), {
        data,
        recorded: true,
      });
    }
    const steps = await backend.steps.open(KEY, fence);
    assertEquals(steps.size, names.length);
    for (const [n, name] of names.entries()) {
      assertEquals(steps.get(name), texts[n % texts.length]);
    }
    assertEquals((await backend.get(KEY)).data, "working");
  });

  test("steps_come_in_the_order_they_were_recorded", async (backend, other) => {
    const first = await begin(backend);
    const names = Array.from({ length: 1201 }, (_, n) => `${7919 * n % 1201}`);
    names.push("B", "a", "é", "\u{10ffff}", "🦕");
    const half = names.length / 2;
    for (const name of names.slice(0, half)) {
      await backend.steps.record(KEY, first, name, `of ${name}`);
    }
    await backend.leases.release(KEY, first);
    const { fence } = await other.leases.acquire(KEY, longLease("b"));
    for (const name of names) {
      // What was recorded before keeps its place.
      await other.steps.record(KEY, fence, name, `of ${name}`);
    }
    const steps = await backend.steps.open(KEY, fence);
    assertEquals([...steps], names.map((name) => [name, `of ${name}`]));
  }, TWO);

  test("racing_recordings_of_one_step_leave_one", async (backend, _, pick) => {
    const fence = await begin(backend);
    const answers = await Promise.all(
      Array.from(
        { length: 24 },
        (_, n) => pick(n).steps.record(KEY, fence, "charge", `receipt ${n}`),
      ),
    );
    const [[, data] = []] = await opened(backend, fence);
    for (const answer of answers) assertEquals(answer.data, data);
  }, { instances: 4 });

  test("malformed_steps_are_refused_and_change_nothing", async (backend) => {
    const fence = await begin(backend);
    const record = (name: Anything, data: Anything) => () =>
      backend.steps.record(KEY, fence, name, data);
    for (const name of ["", "x".repeat(257), "🦕".repeat(65)]) {
      await assertRejects(record(name, "x"), RangeError, "name");
    }
    for (const name of ["\ud800", undefined, null, 7, {}]) {
      await assertRejects(record(name, "x"), TypeError, "name");
    }
    await assertRejects(record("a", "\ud800"), InvalidDataError);
    for (const data of [undefined, null, 7, {}]) {
      await assertRejects(record("a", data), TypeError);
    }
    const error = await assertRejects(
      record("a", "é".repeat(51)),
      CapacityExceededError,
    );
    assertEquals([error.unit, error.limit, error.actual], ["bytes", 100, 102]);
    for (const bad of [0, -1, 0.5, NaN, "1", null] as Anything[]) {
      const type = typeof bad === "number" ? RangeError : TypeError;
      await assertRejects(() => backend.steps.open(KEY, bad), type);
      await assertRejects(() => backend.steps.record(KEY, bad, "a", "x"), type);
    }
    assertEquals(await opened(backend, fence), []);
    await record("a", "é".repeat(50))();
  }, { maxRecordBytes: 100 });
}

/** A new record under a lease; its fence. */
async function begin(backend: FullBackend): Promise<number> {
  const options = { meta: HOUR };
  const { leases } = backend;
  return (await leases.create(KEY, "working", longLease(), options)).fence;
}

/** The recorded steps, by name. */
async function opened(
  backend: FullBackend,
  fence: number,
): Promise<[string, string][]> {
  return [...await backend.steps.open(KEY, fence)].sort();
}
