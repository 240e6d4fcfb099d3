/**
 * Watching a record, most of it from another instance than the writer's.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  makeKey,
  NotFoundError,
  type VersionedRecord,
  type WatchOptions,
} from "../../../mod.ts";
import { deadline } from "../wait.ts";
import {
  before,
  CLOCK_SKEW_MS,
  type ContractTest,
  HOUR,
  KEY,
  OWNER,
  plain,
  untilGone,
} from "./env.ts";

const TWO = { instances: 2 };

export function watchTests(test: ContractTest): void {
  test("watch_yields_the_record_as_it_stands", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    await backend.put(KEY, "two", HOUR);
    for await (const record of backend.watch(KEY)) {
      assertEquals(plain(record), { data: "two", version: 2 });
      break;
    }
  });

  test("watch_missing_key_returns_not_found", async (backend) => {
    const error = await assertRejects(
      () => collect(backend.watch(KEY)),
      NotFoundError,
    );
    assertEquals(error.key, KEY);
  });

  test(
    "watch_sees_every_version_of_a_patient_writer",
    async (backend, other) => {
      await other.put(KEY, "1", HOUR);
      const seen = await collect(backend.watch(KEY), async ({ version }) => {
        if (version === 10) return true;
        await other.putIfVersion(KEY, `${version + 1}`, version, HOUR);
      });
      const expected = Array.from(
        { length: 10 },
        (_, n) => ({ data: `${n + 1}`, version: n + 1 }),
      );
      assertEquals(seen, expected);
    },
    TWO,
  );

  test(
    "watch_sees_the_last_version_of_a_hasty_writer",
    async (backend, other) => {
      await other.put(KEY, "v1", HOUR);
      const watching = collect(
        backend.watch(KEY),
        ({ version }) => version === 200,
      );
      await Promise.all(
        Array.from(
          { length: 199 },
          (_, n) => other.put(KEY, `v${n + 2}`, HOUR),
        ),
      );
      let before = 0;
      for (const { data, version } of await watching) {
        assert(version > before, `${version} after ${before}`);
        assert(/^v\d+$/.test(data));
        before = version;
      }
      assertEquals(before, 200);
    },
    TWO,
  );

  test("watch_ends_on_delete", async (backend, other) => {
    await other.put(KEY, "one", HOUR);
    const seen = await collect(backend.watch(KEY), async ({ version }) => {
      if (version === 1) await other.put(KEY, "two", HOUR);
      else await other.delete(KEY);
    });
    assertEquals(versions(seen), [1, 2]);
  }, TWO);

  test("watch_ends_on_expiry", async (backend, other) => {
    await before(other, async (expiresAt) => {
      await other.put(KEY, "one", { expiresAt });
      const seen = await collect(backend.watch(KEY));
      assertEquals(seen, [{ data: "one", version: 1 }]);
      endedAt(expiresAt);
    });
  }, TWO);

  test(
    "watch_ends_on_an_expiry_set_while_it_watches",
    async (backend, other) => {
      await before(other, async (expiresAt) => {
        await other.put(KEY, "one", HOUR);
        const seen = await collect(backend.watch(KEY), async ({ version }) => {
          if (version === 1) await other.put(KEY, "two", { expiresAt });
        });
        assertEquals(versions(seen), [1, 2]);
        endedAt(expiresAt);
      });
    },
    TWO,
  );

  test(
    "watch_ends_on_expiry_though_its_record_was_read",
    async (backend, other) => {
      await other.put(KEY, "x", { expiresAt: Date.now() + 400 });
      const watch = backend.watch(KEY)[Symbol.asyncIterator]();
      await watch.next();
      await backend.get(KEY);
      const { done } = await deadline("the end of the watch", watch.next());
      assertEquals(done, true);
    },
    TWO,
  );

  test("watch_ends_on_a_write_already_expired", async (backend, other) => {
    await other.put(KEY, "one", HOUR);
    const seen = await collect(backend.watch(KEY), async () => {
      await other.put(KEY, "late", { expiresAt: 1 });
    });
    assertEquals(versions(seen), [1]);
  }, TWO);

  test("watch_ends_when_the_record_is_made_anew", async (backend, other) => {
    await other.put(KEY, "old 1", HOUR);
    await other.put(KEY, "old 2", HOUR);
    const seen = await collect(backend.watch(KEY), async () => {
      await other.delete(KEY);
      await other.create(KEY, "new 1", { meta: HOUR });
    });
    assertEquals(seen, [{ data: "old 2", version: 2 }]);
  }, TWO);

  test(
    "watch_ends_when_the_new_record_is_ahead_of_the_old",
    async (backend, other) => {
      await other.put(KEY, "old 1", HOUR);
      const seen = await collect(backend.watch(KEY), async () => {
        await other.delete(KEY);
        await other.create(KEY, "new 1", { meta: HOUR });
        await other.put(KEY, "new 2", HOUR);
      });
      assertEquals(seen, [{ data: "old 1", version: 1 }]);
    },
    TWO,
  );

  test("watch_outlives_an_expiry_that_was_put_off", async (backend, other) => {
    await before(other, async (expiresAt) => {
      const twin = makeKey(OWNER, "t-2");
      await other.put(KEY, "one", { expiresAt });
      await other.put(twin, "x", { expiresAt });
      const seen = await collect(backend.watch(KEY), async ({ version }) => {
        if (version === 1) await other.put(KEY, "two", HOUR);
        else if (version === 2) {
          // The first expiry has passed, and the watch is still there.
          await untilGone(other, twin);
          await other.putIfVersion(KEY, "three", 2, HOUR);
        } else await other.put(KEY, "late", { expiresAt: 1 });
      });
      assertEquals(versions(seen), [1, 2, 3]);
    });
  }, TWO);

  test("watch_hears_nothing_of_other_records", async (backend, other) => {
    await other.put(KEY, "mine", HOUR);
    const seen = await collect(backend.watch(KEY), async ({ version }) => {
      for (const task of ["t-", "t-11", "T-1", "t-2", "*"]) {
        await other.put(makeKey(OWNER, task), "not mine", HOUR);
        await other.delete(makeKey(OWNER, task));
        await other.put(makeKey("bob", "t-1"), "not mine", HOUR);
      }
      if (version === 1) await other.put(KEY, "mine again", HOUR);
      return version === 2;
    });
    assertEquals(seen.map(({ data }) => data), ["mine", "mine again"]);
  }, TWO);

  test("many_watches_of_one_record_all_see_its_end", async (backend, other) => {
    await other.put(KEY, "one", HOUR);
    let ready = 0;
    const watches = Array.from({ length: 20 }, (_, n) => {
      const instance = n % 2 === 0 ? backend : other;
      return collect(instance.watch(KEY), async ({ version }) => {
        if (version === 1 && ++ready === 20) {
          await other.put(KEY, "two", HOUR);
          await other.delete(KEY);
        }
      });
    });
    for (const seen of await Promise.all(watches)) {
      assertEquals(versions(seen)[0], 1);
    }
  }, TWO);

  test("watch_throws_the_reason_it_was_aborted_with", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    const reason = new Error("the client went away");
    const aborted = new AbortController();
    let seen = 0;
    const error = await assertRejects(
      () =>
        collect(backend.watch(KEY, aborted), () => {
          seen++;
          setTimeout(() => aborted.abort(reason));
        }),
      Error,
    );
    assert(error === reason);
    assertEquals(seen, 1);
  });

  test("watch_aborted_before_it_began_throws_at_once", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    const reason = new TypeError("never mind");
    const options: WatchOptions = { signal: AbortSignal.abort(reason) };
    const error = await assertRejects(
      () => collect(backend.watch(KEY, options)),
      TypeError,
    );
    assert(error === reason);
  });

  test("watch_can_be_left_and_begun_again", async (backend, other) => {
    await other.put(KEY, "1", HOUR);
    for (let round = 1; round <= 10; round++) {
      const seen = await collect(backend.watch(KEY), () => true);
      assertEquals(versions(seen), [round]);
      await other.put(KEY, `${round + 1}`, HOUR);
    }
  }, TWO);

  test("watch_ends_with_an_error_when_the_backend_closes", async (backend) => {
    await backend.put(KEY, "one", HOUR);
    await assertRejects(
      () =>
        collect(backend.watch(KEY), () => {
          setTimeout(() => backend.close());
        }),
      BackendError,
      "closed",
    );
  });
}

/** All a watch yields until it ends, or the step says that it is enough. */
function collect(
  watch: AsyncIterable<VersionedRecord>,
  step: (record: VersionedRecord) => unknown = () => {},
): Promise<Omit<VersionedRecord, "etag">[]> {
  const seen: Omit<VersionedRecord, "etag">[] = [];
  const watching = async () => {
    for await (const record of watch) {
      seen.push(plain(record));
      if (await step(record)) break;
    }
    return seen;
  };
  return deadline("the end of the watch", watching(), 20_000);
}

/** A watch that ends before the expiry has invented it. */
function endedAt(expiresAt: number): void {
  const earlyMs = expiresAt - Date.now();
  assert(earlyMs <= CLOCK_SKEW_MS, `ended ${earlyMs} ms before the expiry`);
}

function versions(records: { readonly version: number }[]): number[] {
  return records.map(({ version }) => version);
}
