/**
 * What went wrong under faults before writes had names: answers that are lost
 * while others write, equal bytes, earlier lives of an id, first calls.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  type ExpectedRecord,
  NotFoundError,
  TaskNotFoundError,
  TaskStore,
  VersionConflictError,
  type VersionedRecord,
} from "../../mod.ts";
import { faultTest, type Ways, withSentinel } from "../support/faults_ways.ts";
import { ownServerEnabled } from "../support/gate.ts";
import { type CutAt, TcpProxy } from "../support/proxy.ts";
import {
  type RedisFixture,
  redisTest,
  withRedis,
} from "../support/redis_fixture.ts";
import { HOUR, KEY, nthKey, OWNER } from "../support/suite/env.ts";
import { waitUntil } from "../support/wait.ts";

/** Where an answer is lost although the write was applied. */
const LOST_ANSWERS: readonly CutAt[] = ["before reply", "mid reply"];

/** How a caller names the record it has read. */
const EXPECTED: Record<string, (read: VersionedRecord) => ExpectedRecord> = {
  etag: (read) => read,
  version: ({ version }) => version,
};

for (const cut of LOST_ANSWERS) {
  const lost = `answer_lost_${cut.replace(" ", "_")}`;

  faultTest(
    `create_${lost}_and_overwritten_succeeds`,
    async ({ proxy, cut: backend, direct }) => {
      proxy.cutNext(cut, () => direct.put(KEY, "theirs", HOUR));
      assertEquals(await backend.create(KEY, "ours", { meta: HOUR }), 1);
      await holds(direct, "theirs", 2);
    },
  );

  faultTest(
    `create_${lost}_and_deleted_is_not_created_again`,
    async ({ proxy, cut: backend, direct }) => {
      proxy.cutNext(cut, async () => {
        const read = await direct.get(KEY);
        await direct.delete(KEY, { expected: read });
      });
      assertEquals(await backend.create(KEY, "ours", { meta: HOUR }), 1);
      await assertRejects(() => direct.get(KEY), NotFoundError);
    },
  );

  faultTest(
    `create_${lost}_and_recreated_leaves_the_new_record`,
    async ({ proxy, cut: backend, direct }) => {
      proxy.cutNext(cut, async () => {
        await direct.delete(KEY);
        await direct.create(KEY, "theirs", { meta: HOUR });
      });
      assertEquals(await backend.create(KEY, "ours", { meta: HOUR }), 1);
      await holds(direct, "theirs", 1);
    },
  );

  faultTest(
    `create_${lost}_deleted_and_its_place_taken_is_not_told_full`,
    async ({ proxy, cut: backend, direct }) => {
      proxy.cutNext(cut, async () => {
        await direct.delete(nthKey(1));
        await direct.create(nthKey(2), "theirs", { meta: HOUR, maxRecords: 1 });
      });
      const options = { meta: HOUR, maxRecords: 1 };
      assertEquals(await backend.create(nthKey(1), "ours", options), 1);
      await assertRejects(() => direct.get(nthKey(1)), NotFoundError);
    },
  );

  for (const [by, expectedOf] of Object.entries(EXPECTED)) {
    const swap = async (
      { proxy, cut: backend, direct }: Ways,
      meanwhile: () => Promise<unknown>,
    ) => {
      await direct.put(KEY, "first", HOUR);
      const expected = expectedOf(await direct.get(KEY));
      proxy.cutNext(cut, meanwhile);
      return await backend.putIfVersion(KEY, "ours", expected, HOUR);
    };

    faultTest(
      `swap_by_${by}_${lost}_and_overwritten_succeeds`,
      async (ways) => {
        const { direct } = ways;
        const theirs = () => direct.put(KEY, "theirs", HOUR);
        assertEquals(await swap(ways, theirs), 2);
        await holds(direct, "theirs", 3);
      },
    );

    faultTest(
      `swap_by_${by}_${lost}_and_deleted_succeeds`,
      async (ways) => {
        const { direct } = ways;
        assertEquals(await swap(ways, () => direct.delete(KEY)), 2);
        await assertRejects(() => direct.get(KEY), NotFoundError);
      },
    );

    faultTest(
      `swap_by_${by}_${lost}_deleted_and_recreated_leaves_the_new_record`,
      async (ways) => {
        const { direct } = ways;
        const written = await swap(ways, async () => {
          await direct.delete(KEY);
          await direct.create(KEY, "theirs", { meta: HOUR });
        });
        assertEquals(written, 2);
        await holds(direct, "theirs", 1);
      },
    );
  }

  faultTest(
    `put_${lost}_and_overwritten_is_not_applied_again`,
    async ({ proxy, cut: backend, direct }) => {
      proxy.cutNext(cut, () => direct.put(KEY, "theirs", HOUR));
      assertEquals(await backend.put(KEY, "ours", HOUR), 1);
      await holds(direct, "theirs", 2);
    },
  );

  faultTest(
    `put_${lost}_and_deleted_is_not_applied_again`,
    async ({ proxy, cut: backend, direct }) => {
      proxy.cutNext(cut, () => direct.delete(KEY));
      assertEquals(await backend.put(KEY, "ours", HOUR), 1);
      await assertRejects(() => direct.get(KEY), NotFoundError);
    },
  );

  faultTest(
    `delete_${lost}_and_recreated_leaves_the_new_record`,
    async ({ proxy, cut: backend, direct }) => {
      await direct.put(KEY, "first", HOUR);
      proxy.cutNext(
        cut,
        () => direct.create(KEY, "theirs", { meta: HOUR }),
      );
      assertEquals(await backend.delete(KEY), true);
      await holds(direct, "theirs", 1);
    },
  );
}

faultTest(
  "increments_of_eight_instances_under_lost_answers_add_up",
  async ({ another, direct }) => {
    const store = new TaskStore(direct);
    const { task } = await store.create(OWNER, "tools/call", {
      taskId: "t-1",
      variables: { n: 0 },
    });
    let acknowledged = 0;
    await Promise.all(Array.from({ length: 8 }, async (_, i) => {
      const { proxy, backend } = await another();
      let scripts = 0;
      proxy.fault = (request) =>
        /EVAL/.test(request) && ++scripts % 5 === i % 5
          ? { cut: "before reply" }
          : undefined;
      const own = new TaskStore(backend);
      for (let n = 0; n < 10; n++) {
        await own.modify(task.taskId, OWNER, ({ variables }) => ({
          variables: { n: Number(variables.n) + 1 },
        }));
        acknowledged++;
      }
    }));
    const { variables } = await store.get(task.taskId, OWNER);
    assertEquals([variables.n, acknowledged], [80, 80]);
  },
);

faultTest(
  "two_instances_that_write_the_same_bytes_are_not_both_told_to_have_won",
  async ({ proxy, cut, direct }) => {
    for (let round = 0; round < 40; round++) {
      const key = nthKey(round);
      await direct.put(key, "first", HOUR);
      const read = await direct.get(key);
      if (round % 2 === 0) proxy.cutNext(LOST_ANSWERS[(round >> 1) % 2]!);
      const tried = await Promise.allSettled([
        cut.putIfVersion(key, "same", read, HOUR),
        direct.putIfVersion(key, "same", read, HOUR),
      ]);
      const won = tried.filter(({ status }) => status === "fulfilled");
      assertEquals(won.length, 1);
      for (const result of tried) {
        if (result.status === "rejected") {
          assert(result.reason instanceof VersionConflictError);
        }
      }
    }
  },
);

redisTest(
  "two_writes_of_the_same_bytes_in_one_tick_have_one_winner",
  async (redis) => {
    const backend = await redis.connect();
    for (let round = 0; round < 100; round++) {
      const key = nthKey(round);
      await backend.put(key, "first", HOUR);
      const read = await backend.get(key);
      const tried = await Promise.allSettled([
        backend.putIfVersion(key, "same", read, HOUR),
        backend.putIfVersion(key, "same", read, HOUR),
      ]);
      const won = tried.filter(({ status }) => status === "fulfilled");
      assertEquals(won.length, 1);
    }
  },
);

redisTest(
  "swap_whose_answer_and_record_are_lost_is_recognized_in_the_next_life",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const cut = await redis.connect({}, proxy.url);
    const direct = await redis.connect();
    await direct.put(KEY, "first", HOUR);
    const read = await direct.get(KEY);
    proxy.cutNext("before reply", async () => {
      // Another writer gives the record an end: the trace outlives it.
      await direct.put(KEY, "theirs", { expiresAt: Date.now() + 20 });
      await waitUntil(
        "the end of the record",
        () => direct.get(KEY).then(() => false, () => true),
      );
      await direct.create(KEY, "new life", { meta: HOUR });
    });
    assertEquals(await cut.putIfVersion(KEY, "ours", read, HOUR), 2);
    await holds(direct, "new life", 1);
    await redis.close();
  },
);

redisTest(
  "create_whose_first_bytes_are_held_is_made_once_though_its_record_expired",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const cut = await redis.connect({}, proxy.url);
    const direct = await redis.connect();
    proxy.cutNext("before reply", async () => {
      await direct.put(KEY, "theirs", { expiresAt: Date.now() + 20 });
      await waitUntil(
        "the end of the record",
        () => direct.get(KEY).then(() => false, () => true),
      );
    });
    assertEquals(await cut.create(KEY, "ours", { meta: HOUR }), 1);
    // What was made is known, and not made again.
    await assertRejects(() => direct.get(KEY), NotFoundError);
    await redis.close();
  },
);

redisTest(
  "put_tried_again_after_its_own_expiry_does_not_end_the_next_life",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const cut = await redis.connect({}, proxy.url);
    const direct = await redis.connect();
    const expiresAt = Date.now() + 100;
    proxy.cutNext("before reply", async () => {
      await waitUntil(
        "the end of the record",
        () => direct.get(KEY).then(() => false, () => true),
      );
      await direct.create(KEY, "new life", { meta: HOUR });
    });
    assertEquals(await cut.put(KEY, "ours", { expiresAt }), 1);
    await holds(direct, "new life", 1);
    await redis.close();
  },
);

redisTest(
  "delete_of_nothing_whose_answers_are_lost_is_false_and_no_conflict",
  async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const cut = await redis.connect({}, proxy.url);
    const cuts: CutAt[] = ["before request", "before reply"];
    proxy.fault = (request) => {
      const cut = /EVAL/.test(request) ? cuts.shift() : undefined;
      return cut ? { cut } : undefined;
    };
    assertEquals(await cut.delete(KEY), false);
    assertEquals(cuts, []);
    await redis.close();
  },
);

redisTest("queue_answers_that_are_lost_are_unknown", async (redis) => {
  await using proxy = new TcpProxy(redis.url);
  const cut = await redis.connect({}, proxy.url);
  const direct = await redis.connect();
  const lost = async (body: () => Promise<unknown>) => {
    proxy.cutNext("before reply");
    const error = await assertRejects(body, BackendError);
    assertEquals(error.outcome, "unknown");
  };
  await lost(() => cut.queues.push(KEY, "one", { ttlMs: 60_000 }));
  await direct.queues.push(KEY, "two", { ttlMs: 60_000 });
  await lost(() => cut.queues.shift(KEY));
  // Stored once, taken once.
  assertEquals(await direct.queues.drain(KEY), ["two"]);
  await redis.close();
});

Deno.test({
  name: "redis_sentinel_client_that_resends_is_warned_about",
  ignore: !ownServerEnabled,
  async fn() {
    const warnings: string[] = [];
    await withSentinel(async () => {
      await waitUntil(
        "a warning that names the option",
        () => warnings.some((text) => text.includes("maxCommandRediscovers")),
      );
    }, (message) => warnings.push(String(message)));
  },
});

redisTest(
  "held_record_of_an_earlier_life_never_writes_into_the_new_one",
  async (redis) => {
    const store = new TaskStore(await redis.connect());
    const other = new TaskStore(await redis.connect());
    const options = { taskId: "chosen", variables: { life: 1 } };
    const held = await store.create(OWNER, "tools/call", options);
    await other.delete("chosen", OWNER);
    await other.create(OWNER, "tools/call", {
      taskId: "chosen",
      variables: { life: 2 },
    });
    for (
      const write of [
        () => store.setVariables(held, OWNER, { late: true }),
        () => store.completeWithResult(held, OWNER, "late"),
        () => store.cancel(held, OWNER),
        () => store.touch(held, OWNER, { ttlMs: 60_000 }),
      ]
    ) await assertRejects(write, TaskNotFoundError);
    const found = await other.get("chosen", OWNER);
    assertEquals(found.variables, { life: 2 });
    assertEquals([found.version, found.task.status], [1, "working"]);
  },
);

redisTest(
  "held_record_whose_expiry_has_passed_leaves_the_new_life",
  async (redis) => {
    const store = new TaskStore(await redis.connect());
    const held = await store.create(OWNER, "tools/call", {
      taskId: "chosen",
      ttlMs: 30,
    });
    await waitUntil(
      "the end of the first life",
      () =>
        store.get("chosen", OWNER).then(
          () => false,
          (error) => error instanceof TaskNotFoundError,
        ),
    );
    await store.create(OWNER, "tools/call", { taskId: "chosen" });
    await assertRejects(() => store.setVariables(held, OWNER, { late: true }));
    assertEquals((await store.get("chosen", OWNER)).version, 1);
  },
);

Deno.test({
  name: "redis_first_calls_of_a_process_keep_their_order",
  // It reads the module of the worker.
  ignore: !ownServerEnabled,
  fn: () => withRedis(firstCallsKeepTheirOrder),
});

async function firstCallsKeepTheirOrder(redis: RedisFixture): Promise<void> {
  // A worker is a process to the library: modules of its own, no script known.
  await redis.raw.scriptFlush();
  const worker = new Worker(
    new URL("../support/first_calls_worker.ts", import.meta.url),
    { type: "module" },
  );
  try {
    const answer = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = reject;
    });
    worker.postMessage({ url: redis.url, prefix: redis.prefix });
    assertEquals(await answer, {
      messages: ["0", "1", "2", "3", "4"],
      stored: "second",
    });
  } finally {
    worker.terminate();
  }
}

async function holds(
  backend: Ways["direct"],
  data: string,
  version: number,
): Promise<void> {
  const read = await backend.get(KEY);
  assertEquals([read.data, read.version], [data, version]);
}
