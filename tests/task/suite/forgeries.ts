/**
 * Forgeries (EVIDENCE S): who can write to the storage and has no key can make
 * a sealed task unreadable, and change nothing of what is read of it.
 *
 * @module
 */

import { assert, assertEquals, equal } from "@std/assert";
import {
  LeaseHeldError,
  makeKey,
  TaskError,
  type TaskRecord,
  type TaskStore,
} from "../../../mod.ts";
import {
  type JsonObject,
  METHOD,
  OWNER,
  plant,
  recordJson,
  rejection,
  stored,
  STRANGER,
  type TaskTest,
  type TestEnv,
} from "./env.ts";

const KEY = new Uint8Array(32).fill(7);

/** Private fields as a forger would like them. */
const FORGED = {
  variables: { admin: true },
  result: { content: "forged" },
  error: { code: 1, message: "forged" },
  inputRequests: { consent: { method: "elicitation/create" } },
  inputResponses: { consent: { action: "accept" } },
};

export function forgeryTests(test: TaskTest): void {
  test("s_private_fields_come_from_the_sealed_part_or_not_at_all", async (env) => {
    const store = await sealed(env);
    const record = await store.create(OWNER, METHOD, { taskId: "t-1" });
    const { json } = await stored(store.backend, "t-1");
    const task = { ...json.task, statusMessage: "forged" };
    const forgeries = Object.entries({ ...FORGED, task });
    for (const [name, value] of forgeries) {
      await plant(store.backend, "t-1", { ...json, [name]: value }, 1);
      // They need not make it unreadable: they are no part of it.
      const { etag: _, ...read } = await store.get("t-1", OWNER);
      assertEquals(read, without(record, "etag"), name);
    }
    // Nor does the next write seal what was beside the sealed part.
    await plant(store.backend, "t-1", { ...json, ...FORGED, task }, 1);
    await store.setVariables("t-1", OWNER, { n: 1 });
    const read = await store.get("t-1", OWNER);
    assertEquals(read.variables, { n: 1 });
    assertEquals(read.result, null);
    for (const name of ["error", "inputRequests", "inputResponses"] as const) {
      assertEquals(read[name], undefined, name);
    }
    assertEquals(read.task.statusMessage, undefined);
  });

  test("s_consent_is_not_forged_without_a_key", async (env) => {
    const store = await sealed(env);
    await asked(store);
    const { json, version } = await stored(store.backend, "t-1");
    const task = { ...json.task, status: "working" };
    const { inputResponses } = FORGED;
    for (
      const forgery of [
        { ...json, inputResponses },
        { ...json, task, inputResponses },
        { ...recordJson("t-1", { task }), inputResponses },
      ]
    ) {
      await plant(store.backend, "t-1", forgery, version);
      const read = await readable(store, "t-1");
      assertEquals(read?.inputResponses, undefined);
      assert(read?.task.status !== "working", "the question is taken back");
    }
  });

  test("s_public_fields_are_bound_to_the_sealed_part", async (env) => {
    const store = await sealed(env);
    await asked(store);
    const { json, version } = await stored(store.backend, "t-1");
    const soon = new Date(Date.now() + 1000).toISOString();
    const values: readonly unknown[] = [
      "forged",
      "completed",
      "working",
      1,
      7_200_000,
      soon,
      "tools/list",
      { holder: "mallory", lostAt: soon },
      null,
      undefined,
    ];
    const taskFields = [...Object.keys(json.task), "_meta"];
    const fields = [
      ...without(Object.keys(json), "task", "sealed", ...Object.keys(FORGED)),
      "lostLease",
      "createdOrder",
      "traceId",
    ];
    for (const value of values) {
      for (const name of taskFields) {
        const task = { ...json.task, [name]: value };
        await refused({ ...json, task }, `task.${name}`, value);
      }
      for (const name of fields) {
        await refused({ ...json, [name]: value }, name, value);
      }
    }

    async function refused(forgery: JsonObject, name: string, value: unknown) {
      // Fields in place of which nothing is the same as what was there.
      if (JSON.stringify(forgery) === JSON.stringify(json)) return;
      await plant(store.backend, "t-1", forgery, version);
      const read = await readable(store, "t-1");
      const what = `${name} as ${JSON.stringify(value)}`;
      if (value == null && !(name in json) && !(name in json.task)) {
        // A null where another program may put one says nothing.
        if (read !== undefined) assertEquals(read.task, json.task, what);
      } else assertEquals(read, undefined, what);
    }
  });

  test("s_version_is_bound_to_the_sealed_part", async (env) => {
    const store = await sealed(env);
    let record = await store.create(OWNER, METHOD, { taskId: "t-1" });
    const first = await stored(store.backend, "t-1");
    record = await store.setVariables(record, OWNER, { balance: 10 });
    const second = await stored(store.backend, "t-1");
    await store.setVariables(record, OWNER, { balance: 0 });
    const third = await stored(store.backend, "t-1");
    // An old state at the place of a later one, and the reverse.
    for (
      const [version, { json }] of [
        [3, first],
        [3, second],
        [2, third],
        [4, third],
        [1, second],
      ] as const
    ) {
      await plant(store.backend, "t-1", json, version);
      const what = `the state of ${json.task.lastUpdatedAt} at ${version}`;
      assertEquals(await readable(store, "t-1"), undefined, what);
    }
    await plant(store.backend, "t-1", third.json, 3);
    assertEquals((await store.get("t-1", OWNER)).variables, { balance: 0 });
  });

  test("s_sealed_parts_are_bound_to_owner_task_version_and_life", async (env) => {
    const store = await sealed(env);
    const make = async (owner: string, taskId: string, n: number) => {
      const record = await store.create(owner, METHOD, {
        taskId,
        variables: { n },
      });
      await store.setVariables(record, owner, { more: n });
      return (await stored(store.backend, taskId, owner)).json;
    };
    const own = await make(OWNER, "t-1", 1);
    await store.delete("t-1", OWNER);
    const later = await make(OWNER, "t-1", 2);
    const others = [
      own, // of an earlier life of the id
      await make(OWNER, "t-2", 3),
      await make(STRANGER, "t-1", 4),
    ];
    const expected = await store.get("t-1", OWNER);
    for (const { sealed: part, ...open } of others) {
      for (
        const forgery of [
          { ...later, sealed: part },
          { ...open, sealed: later.sealed },
          { ...open, ownerId: OWNER, sealed: part, task: later.task },
          { ...later, sealed: part, runId: open.runId },
        ]
      ) {
        // The earlier life as a whole, as a restored backup would have it:
        // where both were made in one millisecond, that is what this is.
        if (equal(forgery, own)) continue;
        await plant(store.backend, "t-1", forgery, 2);
        assertEquals(await readable(store, "t-1"), undefined);
      }
    }
    await plant(store.backend, "t-1", later, 2);
    assertEquals(
      without(await store.get("t-1", OWNER), "etag"),
      without(expected, "etag"),
    );
  });

  test("s_any_mix_of_two_sealed_records_is_one_of_them_or_unreadable", async (env) => {
    const store = await sealed(env);
    let record = await store.create(OWNER, METHOD, {
      taskId: "t-1",
      statusMessage: "first",
    });
    const states = [(await stored(store.backend, "t-1")).json];
    const read = [await store.get("t-1", OWNER)];
    for (const update of [{ variables: { n: 1 } }, { status: "cancelled" }]) {
      record = await store.update(record, OWNER, update as object);
      states.push((await stored(store.backend, "t-1")).json);
      read.push(await store.get("t-1", OWNER));
    }
    for (const [a, one] of states.entries()) {
      for (const [b, two] of states.entries()) {
        if (a === b) continue;
        const names = [...new Set([...Object.keys(one), ...Object.keys(two)])];
        for (let pick = 0; pick < 2 ** names.length; pick += 3) {
          const mix: JsonObject = {};
          for (const [i, name] of names.entries()) {
            mix[name] = (pick >> i & 1 ? two : one)[name];
          }
          await plant(store.backend, "t-1", mix, a + 1);
          const found = await readable(store, "t-1");
          if (found === undefined) continue;
          const { version: _, ...fields } = without(found, "etag");
          const { version: __, ...expected } = without(read[a]!, "etag");
          assertEquals(fields, expected);
        }
      }
    }
  });

  test("s_lease_is_not_made_up_without_a_key", async (env) => {
    const store = await sealed(env);
    const { backend } = store;
    const leases = backend.leases!;
    const before = await store.create(OWNER, METHOD, { taskId: "t-1" });
    const lease = { holder: "genuine", forMs: 60_000 };
    await store.create(OWNER, METHOD, { taskId: "t-2", lease });
    const signed = (await backend.get(makeKey(OWNER, "t-2"))).lease!.holder;
    const key = makeKey(OWNER, "t-1");
    const names = [
      "forged",
      "~",
      signed, // of another task
      signed.replace("genuine", "forged"),
      `genuine~${"A".repeat(43)}`,
    ];
    for (const holder of names) {
      const { fence } = await leases.acquire(key, { ...lease, holder });
      const unreadable = async (what: string) => {
        assertEquals(await readable(store, "t-1"), undefined, what);
        const { tasks, damaged } = await store.list(OWNER);
        assertEquals(damaged?.map(({ taskId }) => taskId), ["t-1"]);
        assertEquals(tasks.map(({ task }) => task.taskId), ["t-2"]);
        const taking = store.lease("t-1", OWNER, { ...lease, holder: "w" });
        const error = await rejection(taking, TaskError);
        assert(!error.message.includes("held by"), error.message);
      };
      await unreadable(`held by ${holder}`);
      // Nor is the task failed for it once it has run out.
      await leases.renew(key, fence, 1);
      await env.elapse(20);
      await unreadable(`lost by ${holder}`);
      await leases.release(key, fence);
      assertEquals(await store.get("t-1", OWNER), before);
    }
    // Who has a key is told the name alone, and may have another of the keys.
    const other = await env.open({
      encryption: { keys: [new Uint8Array(32), KEY] },
    });
    const held = await other.get("t-2", OWNER);
    assertEquals(held.lease?.holder, "genuine");
    const taking = other.lease("t-2", OWNER, { ...lease, holder: "w" });
    assertEquals((await rejection(taking, LeaseHeldError)).holder, "genuine");
    await other.renew("t-2", OWNER, lease);
    assertEquals(await store.release("t-2", OWNER, lease), true);
  });

  test("s_any_change_of_the_text_is_without_effect_or_makes_it_unreadable", async (env) => {
    const store = await sealed(env);
    await store.create(OWNER, METHOD, {
      taskId: "t-1",
      variables: { n: 1 },
      request: { a: 1 },
      statusMessage: "secret",
    });
    const before = without(await store.get("t-1", OWNER), "etag");
    const { data } = await stored(store.backend, "t-1");
    let changed = 0;
    const check = async (text: string) => {
      await plant(store.backend, "t-1", text, 1);
      const read = await readable(store, "t-1");
      if (read !== undefined) {
        assertEquals(without(read, "etag"), before, text);
      } else changed++;
    };
    // Where time is real, fewer.
    const step = env.movesTheClock ? 1 : 17;
    for (let at = 0; at < data.length; at += step) {
      for (const character of ["1", "A", " ", '"', ","]) {
        await check(data.slice(0, at) + character + data.slice(at + 1));
      }
      await check(data.slice(0, at) + data.slice(at + 1));
      await check(data.slice(0, at));
    }
    assert(changed > data.length / step);
    // Fields a parser might take instead of the ones that were checked.
    for (const [name, value] of Object.entries(JSON.parse(data))) {
      for (const other of ["forged", { ...FORGED }, null]) {
        const field = (it: unknown) =>
          `${JSON.stringify(name)}:${JSON.stringify(it)}`;
        await check(`{${field(other)},${data.slice(1)}`);
        await check(`${data.slice(0, -1)},${field(other)}}`);
        await check(`${data.slice(0, -1)},${field(value)}}`);
      }
    }
    for (const name of ["version", "etag", "lease", "__proto__", "toJSON"]) {
      const field = `${JSON.stringify(name)}:{"status":"completed"}`;
      await check(`${data.slice(0, -1)},${field}}`);
      await check(data.replace('"task":{', `"task":{${field},`));
    }
  });

  // What AES-GCM cannot know; the README says so.
  test("s_forger_can_put_back_a_whole_state_end_a_task_or_keep_it", async (env) => {
    const store = await sealed(env);
    const { backend } = store;
    const leases = backend.leases!;
    const first = await store.create(OWNER, METHOD, {
      taskId: "t-1",
      ttlMs: 300,
    });
    const { json } = await stored(backend, "t-1");
    await store.setVariables(first, OWNER, { n: 1 });
    // A whole earlier state, for as long as the forger likes.
    await plant(backend, "t-1", json, 1);
    await env.elapse(400);
    const read = await store.get("t-1", OWNER);
    assertEquals(without(read, "etag"), without(first, "etag"));
    // The end of a genuine lease.
    const lease = { holder: "genuine", forMs: 60_000 };
    const held = await store.create(OWNER, METHOD, { taskId: "t-2", lease });
    await leases.renew(makeKey(OWNER, "t-2"), held.lease!.fence, 1);
    await env.elapse(20);
    const lost = await store.get("t-2", OWNER);
    assertEquals(lost.task.status, "failed");
    assertEquals(lost.lostLease?.holder, "genuine");
    // A message again.
    const { queues } = backend;
    const key = makeKey(OWNER, "t-1");
    await store.queues!.push(key, "once");
    const message = (await queues!.shift(key))!;
    for (let n = 0; n < 2; n++) await queues!.push(key, message);
    assertEquals(await store.queues!.drain(key), ["once", "once"]);
  });

  test("s_record_sealed_without_its_public_fields_is_refused", async (env) => {
    // As version 0.1.0 sealed: bound to owner and task id alone.
    const store = await sealed(env);
    await store.create(OWNER, METHOD, { taskId: "t-1" });
    const { json } = await stored(store.backend, "t-1");
    const key = await crypto.subtle.importKey("raw", KEY, "AES-GCM", false, [
      "encrypt",
    ]);
    const iv = new Uint8Array(12);
    const encoder = new TextEncoder();
    const cipher = new Uint8Array(
      await crypto.subtle.encrypt(
        {
          name: "AES-GCM",
          iv,
          additionalData: encoder.encode(JSON.stringify([OWNER, "t-1"])),
        },
        key,
        encoder.encode(JSON.stringify({ variables: {}, result: null })),
      ),
    );
    const part = btoa(String.fromCharCode(...iv, ...cipher))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    await plant(store.backend, "t-1", { ...json, sealed: part }, 1);
    assertEquals(await readable(store, "t-1"), undefined);
  });
}

async function sealed(env: TestEnv): Promise<TaskStore> {
  return await env.open({ encryption: { keys: [KEY] } });
}

/** A task that waits for a consent. */
async function asked(store: TaskStore): Promise<TaskRecord> {
  const record = await store.create(OWNER, METHOD, { taskId: "t-1" });
  return await store.update(record, OWNER, {
    status: "input_required",
    inputRequests: { consent: { method: "elicitation/create" } },
  });
}

/** What is read of a task; `undefined` where that is an error of the domain. */
async function readable(
  store: TaskStore,
  taskId: string,
): Promise<TaskRecord | undefined> {
  try {
    return await store.get(taskId, OWNER);
  } catch (error) {
    if (error instanceof TaskError) return undefined;
    throw error;
  }
}

/** The object without some fields, or the list without some values. */
function without<T extends object>(value: T, ...names: string[]): T {
  if (Array.isArray(value)) {
    return value.filter((name) => !names.includes(name)) as T;
  }
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => !names.includes(name)),
  ) as T;
}
