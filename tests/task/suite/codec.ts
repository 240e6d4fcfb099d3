/**
 * The stored record: what is damaged is an error that names the field, what is
 * not known is kept, and what pmcp-tasks writes is read.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  InvalidDataError,
  makeKey,
  TaskStorageError,
  type TaskStore,
} from "../../../mod.ts";
import {
  as,
  type JsonObject,
  leaseFor,
  OWNER,
  recordJson,
  rejection,
  seedRaw,
  stored,
  type TaskTest,
  untilLost,
} from "./env.ts";
import { MUTATIONS } from "./transitions.ts";

/** Takes the field out. */
const MISSING = Symbol("missing");

/** Every field, and what must not stand in it. */
const DAMAGE: Record<string, readonly unknown[]> = {
  task: [MISSING, null, "x", 1, []],
  "task.taskId": [MISSING, null, 1, {}],
  "task.status": [MISSING, null, "done", "Working", "", 1, ["working"]],
  "task.statusMessage": [1, {}, false],
  "task.createdAt": [MISSING, null, 1, "", "yesterday", "2025-01-01"],
  "task.lastUpdatedAt": [MISSING, null, 1, "", "2025-13-01T00:00:00Z"],
  "task.ttl": ["60000", -1, 1.5, {}, 1e20],
  "task.pollInterval": ["500", -1, 0.5, 1e20],
  ownerId: [MISSING, null, 1, {}],
  variables: ["x", 1, [], true],
  requestMethod: [MISSING, null, 1, {}],
  expiresAt: [1, "", "soon", false],
  error: ["x", 1, []],
  "error.code": [MISSING, null, "x", 1.5],
  "error.message": [MISSING, null, 1],
  inputRequests: ["x", 1, []],
  inputResponses: ["x", 1, []],
  lostLease: ["x", 1, []],
  "lostLease.holder": [MISSING, null, 1],
  "lostLease.lostAt": [MISSING, null, 1, "soon"],
  requestFingerprint: [1, {}, []],
  runId: [1, {}, []],
  createdOrder: ["1", -1, 0.5, {}],
};

/** The lease that `renew` of the mutations renews. */
const LEASE = { forMs: 60_000, holder: "worker-1" };

/** Texts that are no record at all. */
const NO_RECORDS = ["", "x", "{", "null", "[]", '"{}"', "1"];

/** Fields that are not known here. */
const UNKNOWN_TOP = { traceId: "t", nested: { a: [1, null] }, empty: null };
const UNKNOWN_TASK = { _meta: { progress: 42 }, priority: 1, empty: null };

/** Optional fields, which another program may write as null. */
const NULLABLE = {
  result: null,
  expiresAt: null,
  error: null,
  inputRequests: null,
  inputResponses: null,
  lostLease: null,
  lease: null,
  requestFingerprint: null,
  runId: null,
  createdOrder: null,
};

export function codecTests(test: TaskTest): void {
  test("damaged_record_is_an_error_that_names_key_and_field", async (ground) => {
    const store = await ground.open();
    for (const [path, values] of Object.entries(DAMAGE)) {
      for (const value of values) {
        await seedRaw(store.backend, "t-1", damaged(path, value));
        const what = `${path} as ${JSON.stringify(value)}`;
        await assertDamaged(() => store.get("t-1", OWNER), path, what);
      }
    }
    for (const text of NO_RECORDS) {
      await seedRaw(store.backend, "t-1", text);
      await assertDamaged(() => store.get("t-1", OWNER), "the record", text);
    }
  });

  test("damaged_record_is_an_error_of_every_method", async (ground) => {
    const store = await ground.open();
    await seedRaw(store.backend, "t-1", damaged("task.status", "done"));
    const before = await stored(store.backend, "t-1");
    const calls: Record<string, () => Promise<unknown>> = {
      getResult: () => store.getResult("t-1", OWNER),
      waitFor: () => store.waitFor("t-1", OWNER, { final: true }),
      create: () => store.create(OWNER, "tools/call", { taskId: "t-1" }),
    };
    for (const { name, run } of MUTATIONS) {
      calls[name] = () => run(store, "t-1");
    }
    for (const [name, call] of Object.entries(calls)) {
      await assertDamaged(call, "task.status", name);
    }
    assertEquals(await stored(store.backend, "t-1"), before);
    // A list names it and goes on.
    const sound = await store.create(OWNER, "tools/call", { taskId: "t-2" });
    await seedRaw(store.backend, "t-3", "no JSON");
    for (const options of [{}, { order: "oldest" }] as const) {
      const { tasks, damaged } = await store.list(OWNER, options);
      assertEquals(tasks, [sound]);
      const named = new Map(damaged!.map((one) => [one.taskId, one.error]));
      assertEquals([...named.keys()].sort(), ["t-1", "t-3"]);
      const fields = { "t-1": "task.status", "t-3": "the record" };
      for (const [taskId, field] of Object.entries(fields)) {
        const { message, cause, code } = named.get(taskId)!;
        as(InvalidDataError, cause, taskId);
        assertEquals(code, -32603);
        assert(message.includes(field), message);
      }
    }
    await store.delete("t-3", OWNER);
    // It can still be got rid of.
    assertEquals(await store.delete("t-1", OWNER), true);
    assertEquals(await store.list(OWNER), { tasks: [sound] });
  });

  test("unknown_fields_survive_every_mutation", async (ground) => {
    const store = await ground.open();
    for (const { name, run, to } of MUTATIONS) {
      if (to === "working") continue;
      await seedRaw(
        store.backend,
        "t-1",
        recordJson("t-1", {
          task: UNKNOWN_TASK,
          ...UNKNOWN_TOP,
        }),
      );
      if (name === "renew") await store.lease("t-1", OWNER, LEASE);
      await run(store, "t-1");
      await assertUnknownKept(store, name);
    }
  });

  test("unknown_fields_survive_the_loss_of_a_worker", async (ground) => {
    const store = await ground.open();
    await seedRaw(
      store.backend,
      "t-1",
      recordJson("t-1", {
        task: UNKNOWN_TASK,
        ...UNKNOWN_TOP,
      }),
    );
    const lease = leaseFor(ground);
    await store.lease("t-1", OWNER, lease);
    await untilLost(ground, lease);
    assertEquals((await store.get("t-1", OWNER)).task.status, "failed");
    await assertUnknownKept(store, "the loss");
  });

  test("unknown_fields_survive_encryption", async (ground) => {
    const encryption = {
      keys: [new Uint8Array(32).fill(7)],
      allowUnsealed: true,
    };
    const store = await ground.open({ encryption });
    await seedRaw(
      store.backend,
      "t-1",
      recordJson("t-1", { task: UNKNOWN_TASK, ...UNKNOWN_TOP }),
    );
    await store.setVariables("t-1", OWNER, { n: 1 });
    await assertUnknownKept(store, "sealing");
    await store.completeWithResult("t-1", OWNER, 1);
    await assertUnknownKept(store, "sealing again");
    const record = await store.get("t-1", OWNER) as unknown as JsonObject;
    assertEquals(record.nested, UNKNOWN_TOP.nested);
  });

  test("optional_fields_may_be_null", async (ground) => {
    const store = await ground.open({ limits: { maxTtlMs: Infinity } });
    for (const { name, run, to } of MUTATIONS) {
      if (to === "working" || name === "renew") continue;
      const json = recordJson("t-1", NULLABLE);
      Object.assign(json.task, {
        statusMessage: null,
        ttl: null,
        pollInterval: null,
      });
      await seedRaw(store.backend, "t-1", json);
      const record = await store.get("t-1", OWNER);
      assertEquals(record.expiresAt, null, name);
      await run(store, "t-1");
    }
    await store.delete("t-1", OWNER);
  });

  test("record_of_pmcp_tasks_is_read_and_changed", async (ground) => {
    const store = await ground.open();
    const soon = Date.now() + 600_000;
    // chrono writes nanoseconds, and an offset where it is asked to.
    const expiries = [
      `${new Date(soon).toISOString().slice(0, -1)}456789Z`,
      `${new Date(soon).toISOString().slice(0, -1)}456789+00:00`,
      new Date(soon + 2 * 3600_000).toISOString().replace("Z", "+02:00"),
    ];
    for (const [n, expiresAt] of expiries.entries()) {
      const taskId = `t-${n}`;
      const json = {
        task: {
          taskId,
          status: "input_required",
          createdAt: "2025-11-25T08:09:10.123Z",
          lastUpdatedAt: "2025-11-25T08:09:11.987654321Z",
          ttl: 60_000,
        },
        ownerId: OWNER,
        variables: { progress: 42 },
        result: null,
        requestMethod: "tools/call",
        expiresAt,
      };
      // Without meta: the backend reads the times itself.
      const key = makeKey(OWNER, taskId);
      await store.backend.put(key, JSON.stringify(json));
      const record = await store.get(taskId, OWNER);
      const { version, etag, ...fields } = record;
      assertEquals(fields, json as unknown);
      assertEquals([version, typeof etag], [1, "string"]);
      const done = await store.completeWithResult(taskId, OWNER, { n });
      assertEquals(done.task.createdAt, json.task.createdAt);
      assertEquals(done.variables, json.variables);
      assertEquals(Date.parse(done.expiresAt!), soon);
    }
    const { tasks } = await store.list(OWNER);
    assertEquals(tasks.map(({ task }) => task.taskId), ["t-2", "t-1", "t-0"]);
  });

  test("what_could_not_be_read_is_not_written", async (ground) => {
    const store = await ground.open();
    await store.create(OWNER, "tools/call", { taskId: "t-1" });
    const before = await stored(store.backend, "t-1");
    // What a caller without types may hand over.
    const updates: JsonObject[] = [
      { status: "done" },
      { status: "failed", error: { code: "x", message: "no" } },
      { status: "failed", error: { code: 1 } },
      { status: "input_required", inputRequests: [] },
      { inputResponses: [1] },
      { statusMessage: 7 },
    ];
    for (const update of updates) {
      const what = JSON.stringify(update);
      await rejection(store.update("t-1", OWNER, update), Error, what);
      assertEquals(await stored(store.backend, "t-1"), before, what);
    }
    const create = store.create(OWNER, undefined as unknown as string);
    await rejection(create, Error, "a create without a method");
    assertEquals((await store.list(OWNER)).tasks.length, 1);
  });
}

/** A record that is right in everything but one field. */
function damaged(path: string, value: unknown): JsonObject {
  const json = recordJson("t-1", {
    error: { code: 1, message: "x" },
    lostLease: { holder: "w", lostAt: new Date().toISOString() },
  });
  const names = path.split(".");
  const last = names.pop()!;
  let at = json;
  for (const name of names) at = at[name];
  if (value === MISSING) delete at[last];
  else at[last] = value;
  return json;
}

async function assertDamaged(
  call: () => Promise<unknown>,
  field: string,
  what: string,
): Promise<void> {
  const error = await rejection(call(), TaskStorageError, what);
  assertEquals(error.code, -32603);
  as(InvalidDataError, error.cause, what);
  for (const part of ["alice:t-1", field]) {
    assert(error.message.includes(part), `${what}: ${error.message}`);
  }
}

async function assertUnknownKept(
  store: TaskStore,
  what: string,
): Promise<void> {
  const { json } = await stored(store.backend, "t-1");
  for (const [name, value] of Object.entries(UNKNOWN_TOP)) {
    assertEquals(json[name], value, `${what}: ${name}`);
  }
  for (const [name, value] of Object.entries(UNKNOWN_TASK)) {
    assertEquals(json.task[name], value, `${what}: task.${name}`);
  }
}
