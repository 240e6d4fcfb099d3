/**
 * Connections that drop with a command in flight, at every point of its way:
 * success is told exactly when the write is stored, a conflict exactly when
 * someone else has won, and where neither is known that is said.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  CapacityExceededError,
  NotFoundError,
  RedisBackend,
  VersionConflictError,
} from "../../mod.ts";
import { HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { type CutAt, CUTS, isScript, TcpProxy } from "../support/proxy.ts";

/** Two ways to one Redis: through the proxy, and past it. */
interface Ways {
  readonly proxy: TcpProxy;
  readonly cut: RedisBackend;
  readonly direct: RedisBackend;
}

/** Whether the server has executed what was cut there. */
const EXECUTED: Record<CutAt, boolean> = {
  "before request": false,
  "mid request": false,
  "before reply": true,
  "mid reply": true,
};

for (const cut of CUTS) {
  const name = cut.replace(" ", "_");

  dropTest(`create_cut_${name}_succeeds`, async ({ proxy, cut: backend }) => {
    for (let n = 1; n <= 5; n++) {
      proxy.cutNext(cut);
      // At its very quota: the retry must not count its own first attempt.
      const options = { meta: HOUR, maxRecords: n };
      assertEquals(await backend.create(nthKey(n), `${n}`, options), 1);
      assertEquals(proxy.cuts, n);
      const record = { data: `${n}`, version: 1 };
      assertEquals(await backend.get(nthKey(n)), record);
    }
    assertEquals((await backend.listByPrefix(PREFIX)).length, 5);
  });

  dropTest(
    `put_if_version_cut_${name}_succeeds`,
    async ({ proxy, cut: backend, direct }) => {
      await direct.put(KEY, "1", HOUR);
      for (let version = 1; version <= 5; version++) {
        proxy.cutNext(cut);
        const data = `${version + 1}`;
        const written = await backend.putIfVersion(KEY, data, version, HOUR);
        assertEquals(written, version + 1);
        assertEquals(proxy.cuts, version);
        assertEquals(await direct.get(KEY), { data, version: version + 1 });
      }
    },
  );

  dropTest(
    `put_if_version_cut_${name}_loses_to_another`,
    async ({ proxy, cut: backend, direct }) => {
      await direct.put(KEY, "first", HOUR);
      // Someone else writes while we are cut off.
      proxy.cutNext(cut, () => direct.put(KEY, "theirs", HOUR));
      const error = await assertRejects(
        () => backend.putIfVersion(KEY, "ours", 1, HOUR),
        VersionConflictError,
      );
      assertEquals(proxy.cuts, 1);
      const version = EXECUTED[cut] ? 3 : 2;
      assertEquals([error.expected, error.actual], [1, version]);
      assertEquals(await direct.get(KEY), { data: "theirs", version });
    },
  );

  dropTest(
    `create_cut_${name}_loses_to_another`,
    async ({ proxy, cut: backend, direct }) => {
      proxy.cutNext(cut, async () => {
        await direct.delete(KEY);
        await direct.create(KEY, "theirs", { meta: HOUR });
      });
      const error = await assertRejects(
        () => backend.create(KEY, "ours", { meta: HOUR }),
        VersionConflictError,
      );
      assertEquals([proxy.cuts, error.expected, error.actual], [1, 0, 1]);
      assertEquals((await direct.get(KEY)).data, "theirs");
    },
  );

  dropTest(
    `put_and_delete_cut_${name}_are_unknown`,
    async ({ proxy, cut: backend, direct }) => {
      await direct.put(KEY, "first", HOUR);
      proxy.cutNext(cut);
      const put = await assertRejects(
        () => backend.put(KEY, "second", HOUR),
        BackendError,
      );
      assertEquals([put.outcome, put.version], ["unknown", undefined]);
      assert(put.cause instanceof Error);
      const stands = EXECUTED[cut]
        ? { data: "second", version: 2 }
        : { data: "first", version: 1 };
      // Not tried again: a second write could undo someone else's.
      assertEquals(await backend.get(KEY), stands);
      proxy.cutNext(cut);
      const error = await assertRejects(
        () => backend.delete(KEY),
        BackendError,
      );
      assertEquals(error.outcome, "unknown");
      if (EXECUTED[cut]) {
        await assertRejects(() => backend.get(KEY), NotFoundError);
      } else assertEquals(await backend.get(KEY), stands);
      assertEquals(proxy.cuts, 2);
    },
  );

  dropTest(
    `reads_cut_${name}_are_tried_again`,
    async ({ proxy, cut: backend, direct }) => {
      await direct.put(KEY, "x", HOUR);
      const record = { data: "x", version: 1 };
      const listed = [{ key: KEY, ...record }];
      proxy.cutNext(cut);
      assertEquals(await backend.get(KEY), record);
      proxy.cutNext(cut);
      assertEquals(await backend.listByPrefix(PREFIX), listed);
      proxy.cutNext(cut);
      assertEquals(await backend.listPage(PREFIX), { records: listed });
      assertEquals(proxy.cuts, 3);
      // The second of a list's two round trips.
      for (const list of ["listByPrefix", "listPage"] as const) {
        let scripts = 0;
        proxy.fault = (request) =>
          isScript(request) && ++scripts === 2 ? { cut } : undefined;
        await backend[list](PREFIX);
        assertEquals(scripts, 3);
      }
      await assertRejects(() => backend.get(nthKey(9)), NotFoundError);
    },
  );
}

dropTest(
  "swap_that_lost_before_the_cut_stays_lost",
  async ({ proxy, cut, direct }) => {
    await direct.put(KEY, "1", HOUR);
    await direct.put(KEY, "theirs", HOUR);
    proxy.cutNext("before reply");
    const error = await assertRejects(
      () => cut.putIfVersion(KEY, "ours", 1, HOUR),
      VersionConflictError,
    );
    assertEquals([error.expected, error.actual], [1, 2]);
  },
);

dropTest(
  "create_that_was_full_before_the_cut_stays_full",
  async ({ proxy, cut, direct }) => {
    await direct.put(nthKey(1), "x", HOUR);
    for (const at of CUTS) {
      proxy.cutNext(at);
      await assertRejects(
        () => cut.create(nthKey(2), "x", { meta: HOUR, maxRecords: 1 }),
        CapacityExceededError,
      );
    }
  },
);

dropTest(
  "create_cut_again_and_again_is_bounded",
  async ({ proxy, cut, direct }) => {
    let tries = 0;
    proxy.fault = (request) => {
      if (!isScript(request)) return undefined;
      return ++tries <= 3 ? { cut: "before reply" } : undefined;
    };
    assertEquals(await cut.create(nthKey(1), "x", { meta: HOUR }), 1);
    assertEquals(tries, 4);
    const bounded = await RedisBackend.connect(proxy.url, {
      prefix: cut.prefix,
      retry: { attempts: 3 },
    });
    try {
      tries = 0;
      proxy.fault = (request) =>
        isScript(request) ? (tries++, { cut: "before reply" }) : undefined;
      const error = await assertRejects(
        () => bounded.create(nthKey(2), "x", { meta: HOUR }),
        BackendError,
      );
      assertEquals([error.outcome, tries], ["unknown", 3]);
      assert(error.cause instanceof Error);
    } finally {
      await bounded.close();
    }
    assertEquals((await direct.get(nthKey(2))).version, 1);
  },
);

/** Registers a test with one backend through a proxy and one past it. */
function dropTest(name: string, body: (ways: Ways) => Promise<void>): void {
  redisTest(name, async (redis: RedisFixture) => {
    await using proxy = new TcpProxy(redis.url);
    const cut = await redis.connect({}, proxy.url);
    const direct = await redis.connect();
    await body({ proxy, cut, direct });
    await redis.close();
  });
}
