/**
 * `create`: what it writes, the quota, and ids of the caller's own.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ResourceExhaustedError,
  TaskExistsError,
  type TaskStore,
} from "../../../mod.ts";
import { waitUntil } from "../../support/wait.ts";
import {
  as,
  leaseFor,
  METHOD,
  OWNER,
  reasonsOf,
  ROOMY,
  stored,
  STRANGER,
  type TaskTest,
  times,
  untilLost,
  valuesOf,
} from "./env.ts";

const UUID_V4 =
  /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export function creationTests(test: TaskTest): void {
  test("create_writes_a_working_task", async (ground) => {
    const store = await ground.open();
    const startMs = Date.now();
    const record = await store.create(OWNER, METHOD);
    const { task } = record;
    assert(UUID_V4.test(task.taskId), task.taskId);
    const createdMs = Date.parse(task.createdAt);
    assert(createdMs >= startMs && createdMs <= Date.now());
    assert(/^[A-Za-z0-9_-]{22,}$/.test(record.runId!), record.runId);
    assert(record.etag !== "");
    const { createdOrder: _, ...fields } = record;
    assertEquals(fields, {
      task: {
        taskId: task.taskId,
        status: "working",
        createdAt: new Date(createdMs).toISOString(),
        lastUpdatedAt: task.createdAt,
        ttl: 3600_000,
        pollInterval: 500,
      },
      ownerId: OWNER,
      variables: {},
      result: null,
      requestMethod: METHOD,
      expiresAt: new Date(createdMs + 3600_000).toISOString(),
      runId: record.runId!,
      version: 1,
      etag: record.etag,
    });
    assertEquals(await store.get(task.taskId, OWNER), record);
    const { json } = await stored(store.backend, task.taskId);
    const { version, etag } = record;
    assertEquals({ ...json, version, etag }, record as unknown);
  });

  test("create_takes_its_options", async (ground) => {
    const store = await ground.open({ pollIntervalMs: 1234 });
    const byDefault = await store.create(OWNER, METHOD);
    assertEquals(byDefault.task.pollInterval, 1234);
    const { task, ...record } = await store.create(OWNER, "prompts/get", {
      ttlMs: 90_000,
      pollIntervalMs: 7,
      statusMessage: "queued",
      variables: { a: 1, b: null },
    });
    assertEquals(
      [task.ttl, task.pollInterval, task.statusMessage],
      [90_000, 7, "queued"],
    );
    assertEquals(record.requestMethod, "prompts/get");
    assertEquals(record.variables, { a: 1 });
    assertEquals(
      Date.parse(record.expiresAt!) - Date.parse(task.createdAt),
      90_000,
    );
  });

  test("ids_are_not_repeated", async (ground) => {
    const store = await ground.open({ limits: ROOMY });
    const records = await Promise.all(
      times(500, () => store.create(OWNER, METHOD)),
    );
    assertEquals(new Set(records.map(({ task }) => task.taskId)).size, 500);
    assertEquals(new Set(records.map(({ runId }) => runId)).size, 500);
  });

  test("own_id_makes_create_idempotent", async (ground) => {
    const [store, other] = [await ground.open(), await ground.open()];
    const options = {
      taskId: "job:7",
      request: { name: "sum", arguments: { a: [1, 2], b: { x: 1, y: 2 } } },
    };
    const first = await store.create(OWNER, METHOD, options);
    const again = await other.create(OWNER, METHOD, {
      ...options,
      // The same request: the order of an object's fields says nothing.
      request: { arguments: { b: { y: 2, x: 1 }, a: [1, 2] }, name: "sum" },
      variables: { ignored: true },
      ttlMs: 60_000,
    });
    assertEquals(again, first);
    // What the task has become meanwhile is what one gets.
    const done = await store.completeWithResult("job:7", OWNER, 3);
    assertEquals(await other.create(OWNER, METHOD, options), done);
    // Another owner's id of that name is another task.
    const theirs = await store.create(STRANGER, "prompts/get", {
      taskId: "job:7",
    });
    assertEquals([theirs.version, theirs.ownerId], [1, STRANGER]);
  });

  test("own_id_of_another_request_is_refused", async (ground) => {
    const store = await ground.open();
    const request = { name: "sum", arguments: [1, 2] };
    await store.create(OWNER, METHOD, { taskId: "with", request });
    await store.create(OWNER, METHOD, { taskId: "without" });
    const others: [string, string, unknown][] = [
      ["with", "prompts/get", request],
      ["with", METHOD, { name: "sum", arguments: [2, 1] }],
      ["with", METHOD, { name: "sum", arguments: ["1", 2] }],
      ["with", METHOD, { name: "sum", arguments: [1, 2], more: null }],
      ["with", METHOD, null],
      ["with", METHOD, undefined],
      ["without", "prompts/get", undefined],
      ["without", METHOD, request],
    ];
    for (const [taskId, method, other] of others) {
      const error = await assertRejects(
        () => store.create(OWNER, method, { taskId, request: other }),
        TaskExistsError,
        undefined,
        `${taskId} ${method} ${JSON.stringify(other)}`,
      );
      assertEquals([error.code, error.taskId], [-32602, taskId]);
    }
    assertEquals((await store.get("with", OWNER)).version, 1);
    assertEquals((await store.get("without", OWNER)).version, 1);
  });

  test("racing_creates_of_one_request_are_one_task", async (ground) => {
    const stores = await openMany(ground.open, 2);
    for (let n = 0; n < 50; n++) {
      const options = { taskId: `t-${n}`, request: { n } };
      const [a, b] = await Promise.all(
        stores.map((store) => store.create(OWNER, METHOD, options)),
      );
      assertEquals(a, b);
      assertEquals(a?.version, 1);
    }
    assertEquals((await stores[0]!.list(OWNER)).tasks.length, 50);
  });

  test("racing_creates_of_two_requests_have_one_winner", async (ground) => {
    const stores = await openMany(ground.open, 2);
    for (let n = 0; n < 50; n++) {
      const taskId = `t-${n}`;
      const race = await Promise.allSettled(
        stores.map((store, request) =>
          store.create(OWNER, METHOD, {
            taskId,
            request,
            variables: { request },
          })
        ),
      );
      const won = race.findIndex(({ status }) => status === "fulfilled");
      const [lost, ...more] = reasonsOf(race);
      as(TaskExistsError, lost);
      assertEquals(more, []);
      const { variables } = await stores[0]!.get(taskId, OWNER);
      assertEquals(variables, { request: won });
    }
  });

  test("quota_is_exact_under_concurrent_creates", async (ground) => {
    const limits = { maxTasksPerOwner: 25 };
    const stores = await openMany(() => ground.open({ limits }), 4);
    const race = await Promise.allSettled(
      times(100, (n) => stores[n % 4]!.create(OWNER, METHOD)),
    );
    const refused = reasonsOf(race);
    assertEquals(refused.length, 75);
    for (const reason of refused) {
      const error = as(ResourceExhaustedError, reason);
      assertEquals(error.code, -32603);
      assert(error.message.includes("25"), error.message);
      assert(error.suggestedAction.length > 0);
    }
    const { tasks } = await stores[0]!.list(OWNER);
    assertEquals(tasks.length, 25);
    // One's quota is not another's, and a final task still counts.
    await stores[1]!.create(STRANGER, METHOD);
    await stores[1]!.cancel(tasks[0]!, OWNER);
    await assertRejects(
      () => stores[2]!.create(OWNER, METHOD),
      ResourceExhaustedError,
    );
  });

  test("active_quota_is_exact_under_concurrent_creates", async (ground) => {
    const limits = { maxActiveTasksPerOwner: 10, maxTasksPerOwner: 25 };
    const stores = await openMany(() => ground.open({ limits }), 4);
    const fill = async (n: number) => {
      const race = await Promise.allSettled(
        times(40, (n) => stores[n % 4]!.create(OWNER, METHOD)),
      );
      assertEquals(valuesOf(race).length, n);
      const messages = reasonsOf(race).map((reason) =>
        as(ResourceExhaustedError, reason).message
      );
      return { records: valuesOf(race), message: messages[0]! };
    };
    const first = await fill(10);
    assert(
      /10 active tasks .*maxActiveTasksPerOwner/.test(first.message),
      first.message,
    );
    // What has ended makes room, whatever its end, and stays live.
    await Promise.all(
      first.records.map((record, n) =>
        n % 2 === 0
          ? stores[0]!.cancel(record, OWNER)
          : stores[1]!.completeWithResult(record.task.taskId, OWNER, n)
      ),
    );
    const second = await fill(10);
    // A task that waits for input is active.
    await stores[2]!.updateStatus(second.records[0]!, OWNER, "input_required");
    for (const record of second.records.slice(1)) {
      await stores[3]!.cancel(record, OWNER);
    }
    const third = await fill(5);
    assert(
      /25 live tasks .*maxTasksPerOwner/.test(third.message),
      third.message,
    );
    const active = await stores[0]!.list(OWNER, { active: true });
    assertEquals(active.tasks.length, 6);
    await stores[1]!.create(STRANGER, METHOD);
  });

  test("active_quota_is_freed_by_a_lost_worker", async (ground) => {
    const store = await ground.open({ limits: { maxActiveTasksPerOwner: 1 } });
    const lease = leaseFor(ground);
    await store.create(OWNER, METHOD, { lease });
    await assertRejects(
      () => store.create(OWNER, METHOD),
      ResourceExhaustedError,
    );
    await untilLost(ground, lease);
    assertEquals((await store.list(OWNER, { active: true })).tasks, []);
    await store.create(OWNER, METHOD);
  });

  test("quota_is_freed_by_delete_for_exactly_as_many", async (ground) => {
    const store = await ground.open({ limits: { maxTasksPerOwner: 5 } });
    const records = await Promise.all(
      times(5, () => store.create(OWNER, METHOD)),
    );
    await assertRejects(
      () => store.create(OWNER, METHOD),
      ResourceExhaustedError,
    );
    for (const { task } of records.slice(0, 2)) {
      assertEquals(await store.delete(task.taskId, OWNER), true);
      assertEquals(await store.delete(task.taskId, OWNER), false);
    }
    const race = await Promise.allSettled(
      times(10, () => store.create(OWNER, METHOD)),
    );
    assertEquals(valuesOf(race).length, 2);
  });

  test("quota_is_freed_by_expiry_for_exactly_as_many", async (ground) => {
    const store = await ground.open({ limits: { maxTasksPerOwner: 5 } });
    for (const ttlMs of [1000, 1000, 1000, 60_000, 60_000]) {
      await store.create(OWNER, METHOD, { ttlMs });
    }
    await assertRejects(
      () => store.create(OWNER, METHOD),
      ResourceExhaustedError,
    );
    await ground.elapse(1000);
    await waitUntil(
      "three tasks expired",
      async () => (await store.list(OWNER)).tasks.length === 2,
    );
    const race = await Promise.allSettled(
      times(10, () => store.create(OWNER, METHOD)),
    );
    assertEquals(valuesOf(race).length, 3);
  });

  test("same_request_at_the_quota_returns_its_task", async (ground) => {
    const store = await ground.open({ limits: { maxTasksPerOwner: 1 } });
    const first = await store.create(OWNER, METHOD, { taskId: "t" });
    assertEquals(await store.create(OWNER, METHOD, { taskId: "t" }), first);
  });

  test("own_id_is_free_again_after_expiry_and_delete", async (ground) => {
    const store = await ground.open();
    const options = { taskId: "t", ttlMs: 100 };
    await store.create(OWNER, METHOD, options);
    await ground.elapse(101);
    const second = await waitUntil("the id free", async () => {
      const record = await store.create(OWNER, METHOD, { taskId: "t" });
      return record.expiresAt && record.task.ttl !== 100 ? record : undefined;
    });
    assertEquals(second?.version, 1);
    await store.delete("t", OWNER);
    const third = await store.create(OWNER, "prompts/get", { taskId: "t" });
    assertEquals(third.version, 1);
  });
}

async function openMany(
  open: () => Promise<TaskStore>,
  count: number,
): Promise<TaskStore[]> {
  return await Promise.all(times(count, () => open()));
}
