/**
 * Bytes of a first try that were held up on the way, and arrive after its retry
 * has been answered: nothing is executed that its caller was told is not.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  BackendError,
  NotFoundError,
  type StorageBackend,
  VersionConflictError,
} from "../../mod.ts";
import { HeldUp } from "../support/held_up.ts";
import { isScript, sendRaw, TcpProxy } from "../support/proxy.ts";
import { redisTest } from "../support/redis_fixture.ts";
import { ageTrace, midSpan } from "../support/span.ts";
import { HOUR, KEY, PREFIX } from "../support/suite/env.ts";
import { waitUntil } from "../support/wait.ts";

/** What a script answers that arrives too late. */
const LATE = "*2\r\n:-5\r\n$13\r\n1700000000000\r\n";

const META = { ...HOUR, createdAt: 1_700_000_000_000 };

/** What is refused over an old record, and would be applied over the next. */
const REFUSED: Record<string, (backend: StorageBackend) => Promise<unknown>> = {
  create: (backend) => backend.create(KEY, "late", { meta: META }),
  swap: (backend) => backend.putIfVersion(KEY, "late", 2, META),
  deletion: (backend) => backend.delete(KEY, { expected: { version: 2 } }),
};

for (const [name, write] of Object.entries(REFUSED)) {
  redisTest(
    `${name}_that_was_refused_is_not_executed_by_its_late_bytes`,
    async (redis) => {
      await using held = new HeldUp(redis);
      const cut = await held.connect();
      const direct = await redis.connect();
      const record = redis.record("alice", "t-1");
      await midSpan(redis.raw);
      // However long ago the record was written.
      for (const spans of [0, 1, 2, 5]) {
        for (const key of await redis.keys()) await redis.raw.del(key);
        await direct.put(KEY, "first", META);
        await ageTrace(redis.raw, record, spans);
        const late = await held.holdUp(() =>
          assertRejects(() => write(cut), VersionConflictError)
        );
        if (name === "create") await direct.delete(KEY);
        else assertEquals(await direct.put(KEY, "second", META), 2);
        const before = await direct.listByPrefix(PREFIX);
        await sendRaw(redis.url, late);
        assertEquals(await direct.listByPrefix(PREFIX), before, `${spans}`);
      }
      await redis.close();
    },
  );
}

/** What was done once, and would be done again after a life that ended. */
const APPLIED: Record<string, (backend: StorageBackend) => Promise<unknown>> = {
  deletion: (backend) => backend.delete(KEY),
  swap: (backend) => backend.putIfVersion(KEY, "swapped", 1, soon()),
};

for (const [name, write] of Object.entries(APPLIED)) {
  redisTest(
    `${name}_is_not_executed_again_by_its_late_bytes_after_a_short_life`,
    async (redis) => {
      await using held = new HeldUp(redis);
      const cut = await held.connect();
      const direct = await redis.connect();
      await direct.put(KEY, "first", name === "swap" ? soon() : META);
      const late = await held.holdUp(() => write(cut));
      if (name === "deletion") await direct.put(KEY, "short", soon());
      await lapse(direct);
      await direct.create(KEY, "next life", { meta: META });
      await sendRaw(redis.url, late);
      assertEquals((await direct.get(KEY)).data, "next life");
      await redis.close();
    },
  );
}

for (
  const [when, isReborn] of [["its_record", false], [
    "a_short_life_after_it",
    true,
  ]] as const
) {
  redisTest(
    `create_that_was_refused_is_not_executed_when_${when}_has_expired`,
    async (redis) => {
      await using held = new HeldUp(redis);
      const cut = await held.connect();
      const direct = await redis.connect();
      await direct.put(KEY, "first", isReborn ? META : soon());
      const late = await held.holdUp(() =>
        assertRejects(() => REFUSED.create!(cut), VersionConflictError)
      );
      if (isReborn) {
        await direct.delete(KEY);
        await direct.create(KEY, "short", { meta: soon() });
      }
      await lapse(direct);
      await sendRaw(redis.url, late);
      assertEquals(await direct.listByPrefix(PREFIX), []);
      await redis.close();
    },
  );
}

for (const isDeleted of [true, false]) {
  redisTest(
    `acquire_${
      isDeleted ? "of_a_deleted_record" : "before_an_expiry"
    }_takes_no_lease_on_the_next_life_by_its_late_bytes`,
    async (redis) => {
      await using held = new HeldUp(redis);
      const cut = await held.connect();
      const direct = await redis.connect();
      const acquire = () =>
        cut.leases.acquire(KEY, { holder: "w-1", forMs: 60_000 });
      await direct.put(KEY, "first", isDeleted ? META : soon());
      if (isDeleted) await direct.delete(KEY);
      const late = await held.holdUp(async () =>
        isDeleted
          ? await assertRejects(acquire, NotFoundError)
          : await acquire()
      );
      await lapse(direct);
      await direct.create(KEY, "next life", { meta: META });
      await sendRaw(redis.url, late);
      assertEquals((await direct.get(KEY)).lease, undefined);
      await redis.close();
    },
  );
}

for (const isLost of [false, true]) {
  redisTest(
    `write_that_is_always_late_${
      isLost ? "after_a_lost_try_is_unknown" : "was_not_applied"
    }`,
    async (redis) => {
      await using proxy = new TcpProxy(redis.url);
      const cut = await redis.connect({}, proxy.url);
      let isCut = !isLost, isWrite = false;
      proxy.fault = (request) => {
        isWrite = isScript(request) &&
          request.includes(redis.record("alice", "t-1"));
        if (!isWrite || isCut) return undefined;
        isCut = true;
        return { cut: "before request" };
      };
      // In front of it may be the answer to the question for the time.
      proxy.rewriteReply = (reply) => {
        const [time] = /^(\*2\r\n\$10\r\n\d+\r\n\$\d+\r\n\d+\r\n)?/.exec(
          new TextDecoder("latin1").decode(reply),
        )!;
        return isWrite ? new TextEncoder().encode(time + LATE) : reply;
      };
      const error = await assertRejects(
        () => cut.put(KEY, "x", META),
        BackendError,
      );
      assertEquals(error.outcome, isLost ? "unknown" : "not_applied");
      assertMatch(error.message, /after its deadline/);
      await redis.close();
    },
  );
}

/** Of a record that expires within a moment. */
function soon() {
  return { ...META, expiresAt: Date.now() + 150 };
}

/** Waits until the record has expired. */
async function lapse(backend: StorageBackend): Promise<void> {
  await waitUntil(
    "the end of the record",
    async () => (await backend.listByPrefix(PREFIX)).length === 0,
  );
}
