/**
 * Hints that a record wants a worker: offered, moved, withdrawn, claimed.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  type DueClaims,
  InvalidDataError,
  InvalidKeyError,
  makeKey,
} from "../../../mod.ts";
import { waitUntil } from "../wait.ts";
import type { Anything } from "./calls.ts";
import {
  CLOCK_SKEW_MS,
  type ContractTest,
  type FullBackend,
  HOUR,
  KEY,
  nthKey,
} from "./env.ts";

const TWO = { instances: 2 };
const LONG_MS = 3600_000;

export function dueTests(test: ContractTest): void {
  test("claim_takes_what_is_due_and_nothing_before", async (backend, other) => {
    const startMs = Date.now();
    await backend.due.offer(nthKey(1), "q", startMs - 1000, HOUR);
    await backend.due.offer(nthKey(2), "q", startMs + LONG_MS, HOUR);
    assertEquals(keys(await claim(other)), [nthKey(1)]);
    assertEquals(await noneOf(backend), []);
    // A key needs no record.
    await backend.due.offer(makeKey("bob", "t-9"), "q", 0, HOUR);
    assertEquals(keys(await claim(other)), [makeKey("bob", "t-9")]);
  }, TWO);

  test("claim_of_nothing_is_empty", async (backend) => {
    assertEquals(await claim(backend), { claims: [] });
    assertEquals(await backend.due.claim([], 10, LONG_MS), { claims: [] });
    await backend.due.offer(KEY, "q", 0, HOUR);
    await backend.due.withdraw(KEY, "q");
    assertEquals(await claim(backend), { claims: [] });
  });

  test(
    "claims_come_earliest_first_and_within_the_limit",
    async (backend, other) => {
      const startMs = Date.now();
      const order = [5, 2, 9, 1, 7, 3];
      for (const task of order) {
        const key = makeKey("alice", `t-${task}`);
        await backend.due.offer(key, "q", startMs - 1000 + task, HOUR);
      }
      const seen: string[] = [];
      for (const left of [4, 2, 0]) {
        const { claims, nextInMs } = await other.due.claim(
          ["q"],
          2,
          LONG_MS,
        );
        seen.push(...claims.map(({ key }) => key));
        if (left > 0) assertEquals(nextInMs, 0);
        else assert(nextInMs! > 0);
      }
      const sorted = order.toSorted((a, b) => a - b);
      assertEquals(seen, sorted.map((task) => makeKey("alice", `t-${task}`)));
    },
    TWO,
  );

  test("claim_from_many_queues_keeps_the_limit", async (backend, other) => {
    const startMs = Date.now();
    const all = [5, 2, 9, 1, 7, 3].map((n) => makeKey(`owner ${n}`, "t"));
    for (const [n, key] of all.entries()) {
      await backend.due.offer(key, n % 2 ? "q" : "r", startMs - n, HOUR);
    }
    const seen: string[] = [];
    for (const left of [4, 2, 0]) {
      const claims = await other.due.claim(["q", "r"], 2, LONG_MS);
      assertEquals(claims.claims.length, 2);
      seen.push(...keys(claims));
      assertEquals(claims.nextInMs === 0, left > 0);
    }
    assertEquals(seen.sort(), all.sort());
  }, TWO);

  test("claim_is_of_the_queues_named_when_it_was_asked", async (backend) => {
    await backend.due.offer(nthKey(1), "q", 0, HOUR);
    await backend.due.offer(nthKey(2), "r", 0, HOUR);
    const queues = ["q"];
    const claimed = backend.due.claim(queues, 10, LONG_MS);
    queues[0] = "r";
    assertEquals(keys(await claimed), [nthKey(1)]);
  });

  test("claim_says_when_the_next_is_due", async (backend) => {
    const atMs = Date.now() + LONG_MS;
    await backend.due.offer(nthKey(1), "q", atMs + 1000, HOUR);
    await backend.due.offer(nthKey(2), "r", atMs, HOUR);
    await backend.due.offer(nthKey(3), "other", Date.now() + 1000, HOUR);
    const startMs = Date.now();
    const { nextInMs = 0 } = await backend.due.claim(["q", "r"], 10, LONG_MS);
    const latestMs = atMs - startMs + CLOCK_SKEW_MS;
    const earliestMs = atMs - Date.now() - CLOCK_SKEW_MS;
    assert(nextInMs <= latestMs && nextInMs >= earliestMs, `${nextInMs}`);
  });

  test("claim_gives_each_hint_to_one_caller", async (backend, _, pick) => {
    const all = Array.from(
      { length: 60 },
      (_, n) => makeKey(`o${n % 9}`, `${n}`),
    );
    for (const [n, key] of all.entries()) {
      await backend.due.offer(key, n % 2 ? "q" : "r", n, HOUR);
    }
    const claimed = await Promise.all(
      Array.from(
        { length: 40 },
        (_, n) => pick(n).due.claim(["q", "r"], 1 + n % 5, LONG_MS),
      ),
    );
    const seen = claimed.flatMap(keys);
    assertEquals(new Set(seen).size, seen.length, "given to two");
    const rest = keys(await backend.due.claim(["q", "r"], 1000, LONG_MS));
    assertEquals([...seen, ...rest].sort(), all.sort());
  }, { instances: 4 });

  test("claim_puts_a_hint_off", async (backend, other) => {
    await backend.due.offer(KEY, "q", 0, HOUR);
    const startMs = Date.now();
    const first = await backend.due.claim(["q"], 1, 60);
    assertEquals(keys(first), [KEY]);
    const { nextInMs = 0 } = first;
    assert(nextInMs > 0 && nextInMs <= 60 + CLOCK_SKEW_MS, `${nextInMs}`);
    await waitUntil("the hint due again", async () => {
      const { claims } = await other.due.claim(["q"], 1, LONG_MS);
      return claims.length === 1;
    });
    assert(Date.now() - startMs >= 60 - CLOCK_SKEW_MS);
    assertEquals(await noneOf(backend), []);
  }, TWO);

  test("claim_tells_the_queue_and_keeps_to_those_it_names", async (backend) => {
    const queues = ["report@1", "report@2", "a:b", "*", " ", "🦕", "é"];
    for (const queue of queues) await backend.due.offer(KEY, queue, 0, HOUR);
    await backend.due.offer(nthKey(2), "report@1", 1, HOUR);
    const { claims } = await backend.due.claim(["report@1"], 10, LONG_MS);
    assertEquals(claims, [
      { key: KEY, queue: "report@1" },
      { key: nthKey(2), queue: "report@1" },
    ]);
    const rest = await backend.due.claim([...queues, "🦕"], 10, LONG_MS);
    assertEquals(
      rest.claims.map(({ queue }) => queue).sort(),
      queues.slice(1).sort(),
    );
  });

  test("offer_moves_the_hint_that_is_there", async (backend, other) => {
    const farMs = Date.now() + LONG_MS;
    await backend.due.offer(KEY, "q", 0, HOUR);
    await other.due.offer(KEY, "q", farMs, HOUR);
    assertEquals(await noneOf(backend), []);
    await other.due.offer(KEY, "q", 1, HOUR);
    assertEquals(keys(await claim(backend)), [KEY]);
    // One that was claimed, too: it is due at once.
    await other.due.offer(KEY, "q", 1, HOUR);
    assertEquals(keys(await claim(backend)), [KEY]);
    assertEquals(await backend.due.withdraw(KEY, "q"), true);
    assertEquals(await backend.due.withdraw(KEY, "q"), false);
  }, TWO);

  test("withdrawn_hint_is_not_claimed", async (backend, other) => {
    assertEquals(await backend.due.withdraw(KEY, "q"), false);
    await backend.due.offer(KEY, "q", 0, HOUR);
    await backend.due.offer(KEY, "r", 0, HOUR);
    await backend.due.offer(nthKey(2), "q", 0, HOUR);
    assertEquals(await other.due.withdraw(KEY, "q"), true);
    assertEquals(await other.due.withdraw(KEY, "q"), false);
    assertEquals(keys(await claim(backend)), [nthKey(2)]);
    assertEquals(keys(await claim(backend, "r")), [KEY]);
  }, TWO);

  test("withdrawn_after_its_claim_it_is_not_due_again", async (backend) => {
    await backend.due.offer(nthKey(1), "q", 0, HOUR);
    await backend.due.offer(nthKey(2), "q", 1, HOUR);
    assertEquals((await backend.due.claim(["q"], 2, 20)).claims.length, 2);
    assertEquals(await backend.due.withdraw(nthKey(1), "q"), true);
    await waitUntil("the other due again", async () => {
      const { claims } = await backend.due.claim(["q"], 2, LONG_MS);
      assert(claims.every(({ key }) => key === nthKey(2)));
      return claims.length === 1;
    });
  });

  test("hint_of_no_more_use_is_not_added", async (backend) => {
    await backend.due.offer(nthKey(1), "q", 0, HOUR);
    for (const n of [1, 2]) {
      await backend.due.offer(nthKey(n), "q", 0, { expiresAt: 1 });
    }
    assertEquals(await claim(backend), { claims: [] });
    assertEquals(await backend.due.withdraw(nthKey(1), "q"), false);
  });

  test("hint_outlives_an_expiry_that_was_put_off", async (backend) => {
    const expiresAt = Date.now() + 40;
    await backend.due.offer(KEY, "q", 0, { expiresAt });
    await backend.due.offer(KEY, "q", 0, HOUR);
    await waitUntil(
      "the expiry past",
      () => Date.now() > expiresAt + CLOCK_SKEW_MS,
    );
    assertEquals(keys(await claim(backend)), [KEY]);
  });

  test("hint_without_an_expiry_is_claimed_at_any_time", async (backend) => {
    for (const options of [undefined, {}, { expiresAt: undefined }]) {
      await backend.due.offer(KEY, "q", 0, options);
      assertEquals(keys(await claim(backend)), [KEY]);
      assertEquals(await backend.due.withdraw(KEY, "q"), true);
    }
  });

  test("malformed_hints_are_refused_and_change_nothing", async (backend) => {
    const { due } = backend;
    for (const queue of ["", "{q}", "}", "\ud800", 7, null] as Anything[]) {
      for (
        const call of [
          () => due.offer(KEY, queue, 0, HOUR),
          () => due.withdraw(KEY, queue),
          () => due.claim(["q", queue], 1, LONG_MS),
          () => due.subscribe(["q", queue], () => {}),
        ]
      ) {
        await assertRejects(call, TypeError, "queue");
      }
    }
    for (
      const queues of [
        ...["q", "", undefined, null, 7, {}, { length: 1, 0: "q" }],
        ...[new Set(["q"]), [, "q"], ["q", ,], ["q", ["q"]], [undefined]],
      ] as Anything[]
    ) {
      for (
        const call of [
          () => due.claim(queues, 1, LONG_MS),
          () => due.subscribe(queues, () => {}),
        ]
      ) {
        await assertRejects(call, TypeError, "queue");
      }
    }
    for (const listener of [undefined, null, "q", 7, {}] as Anything[]) {
      await assertRejects(
        () => due.subscribe(["q"], listener),
        TypeError,
        "listener",
      );
    }
    for (
      const time of [-1, NaN, Infinity, 8.64e15 + 1, "1", null] as Anything[]
    ) {
      await assertRejects(
        () => due.offer(KEY, "q", time, HOUR),
        InvalidDataError,
      );
      if (time === Infinity) continue;
      await assertRejects(
        () => due.offer(KEY, "q", 0, { expiresAt: time }),
        InvalidDataError,
      );
    }
    for (const limit of [0, -1, 0.5, 1001, NaN]) {
      await assertRejects(
        () => due.claim(["q"], limit, 1),
        RangeError,
        "limit",
      );
    }
    for (const forMs of [0, -1, 0.5, NaN, 2 ** 31]) {
      await assertRejects(
        () => due.claim(["q"], 1, forMs),
        RangeError,
        "forMs",
      );
    }
    for (const key of ["", "alice", ":t-1", "{a}:t-1"]) {
      await assertRejects(() => due.offer(key, "q", 0, HOUR), InvalidKeyError);
      await assertRejects(() => due.withdraw(key, "q"), InvalidKeyError);
    }
    assertEquals(await claim(backend), { claims: [] });
  });

  test("hints_of_a_closed_backend_are_closed", async (backend) => {
    await backend.due.offer(KEY, "q", 0, HOUR);
    await backend.close();
    const { due } = backend;
    for (
      const call of [
        () => due.offer(KEY, "q", 0, HOUR),
        () => due.withdraw(KEY, "q"),
        () => due.claim(["q"], 1, LONG_MS),
        () => due.subscribe(["q"], () => {}),
      ]
    ) {
      const error = await assertRejects<BackendError>(call, BackendError);
      assert(error.closed);
    }
  });
}

/** Claims everything that is due in a queue. */
function claim(backend: FullBackend, queue = "q"): Promise<DueClaims> {
  return backend.due.claim([queue], 1000, LONG_MS);
}

/** The claims where nothing is due, but something will be. */
async function noneOf(backend: FullBackend): Promise<string[]> {
  const claims = await claim(backend);
  const { nextInMs = 0 } = claims;
  assert(nextInMs > 0 && nextInMs <= LONG_MS + 1000, `${nextInMs}`);
  return keys(claims);
}

function keys({ claims }: DueClaims): string[] {
  return claims.map(({ key }) => key);
}
