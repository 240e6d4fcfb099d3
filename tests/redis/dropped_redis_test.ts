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
import {
  type CutAt,
  CUTS,
  isRead,
  isScript,
  TcpProxy,
} from "../support/proxy.ts";

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
      const { data, version } = await backend.get(nthKey(n));
      assertEquals([data, version], [`${n}`, 1]);
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
        const found = await direct.get(KEY);
        assertEquals([found.data, found.version], [data, version + 1]);
      }
    },
  );

  dropTest(
    `put_if_version_cut_${name}_tells_what_it_did_though_another_writes`,
    async ({ proxy, cut: backend, direct }) => {
      await direct.put(KEY, "first", HOUR);
      // Someone else writes while we are cut off.
      proxy.cutNext(cut, () => direct.put(KEY, "theirs", HOUR));
      const write = () => backend.putIfVersion(KEY, "ours", 1, HOUR);
      if (EXECUTED[cut]) assertEquals(await write(), 2);
      else {
        const error = await assertRejects(write, VersionConflictError);
        assertEquals([error.expected, error.actual], [1, 2]);
      }
      assertEquals(proxy.cuts, 1);
      const { data, version } = await direct.get(KEY);
      assertEquals([data, version], ["theirs", EXECUTED[cut] ? 3 : 2]);
    },
  );

  dropTest(
    `create_cut_${name}_tells_what_it_did_though_another_recreates`,
    async ({ proxy, cut: backend, direct }) => {
      proxy.cutNext(cut, async () => {
        await direct.delete(KEY);
        await direct.create(KEY, "theirs", { meta: HOUR });
      });
      const create = () => backend.create(KEY, "ours", { meta: HOUR });
      if (EXECUTED[cut]) assertEquals(await create(), 1);
      else {
        const error = await assertRejects(create, VersionConflictError);
        assertEquals([error.expected, error.actual], [0, 1]);
      }
      assertEquals(proxy.cuts, 1);
      assertEquals((await direct.get(KEY)).data, "theirs");
    },
  );

  dropTest(
    `put_and_delete_cut_${name}_are_applied_once`,
    async ({ proxy, cut: backend, direct }) => {
      await direct.put(KEY, "first", HOUR);
      proxy.cutNext(cut);
      assertEquals(await backend.put(KEY, "second", HOUR), 2);
      proxy.cutNext(cut, () => direct.put(KEY, "theirs", HOUR));
      const written = await backend.put(KEY, "third", HOUR);
      assertEquals(written, EXECUTED[cut] ? 3 : 4);
      const { data, version } = await direct.get(KEY);
      assertEquals([data, version], [EXECUTED[cut] ? "theirs" : "third", 4]);

      proxy.cutNext(cut);
      assertEquals(await backend.delete(KEY), true);
      await assertRejects(() => direct.get(KEY), NotFoundError);
      // Deleted and recreated while its answer is lost: the new life stays.
      await direct.put(KEY, "again", HOUR);
      proxy.cutNext(cut, async () => {
        if (EXECUTED[cut]) await direct.put(KEY, "new life", HOUR);
      });
      assertEquals(await backend.delete(KEY), true);
      if (EXECUTED[cut]) {
        assertEquals((await direct.get(KEY)).data, "new life");
      } else await assertRejects(() => direct.get(KEY), NotFoundError);
      assertEquals(proxy.cuts, 4);
    },
  );

  dropTest(
    `reads_cut_${name}_are_tried_again`,
    async ({ proxy, cut: backend, direct }) => {
      await direct.put(KEY, "x", HOUR);
      const record = await direct.get(KEY);
      const listed = [{ key: KEY, ...record }];
      proxy.cutNext(cut, undefined, isRead);
      assertEquals(await backend.get(KEY), record);
      proxy.cutNext(cut);
      assertEquals(await backend.listByPrefix(PREFIX), listed);
      proxy.cutNext(cut);
      assertEquals(await backend.listPage(PREFIX), { records: listed });
      assertEquals(proxy.cuts, 3);
      // The second of a list's two round trips.
      for (const list of ["listByPrefix", "listPage"] as const) {
        let reads = 0;
        proxy.fault = (request) =>
          isRead(request) && ++reads === 1 ? { cut } : undefined;
        await backend[list](PREFIX);
        assertEquals(reads, 2);
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
      retry: { timeoutMs: 500 },
    });
    try {
      tries = 0;
      proxy.fault = (request) =>
        isScript(request) ? (tries++, { cut: "before reply" }) : undefined;
      const error = await assertRejects(
        () => bounded.create(nthKey(2), "x", { meta: HOUR }),
        BackendError,
      );
      assertEquals(error.outcome, "unknown");
      // With pauses between: a server is not overrun by what it cannot answer.
      assert(tries > 1 && tries < 30, `${tries} tries`);
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
