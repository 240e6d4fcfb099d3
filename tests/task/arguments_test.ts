/**
 * Options and arguments of `TaskStore` that TypeScript would refuse are refused
 * at the call, naming the field, what it is and what was expected.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  MemoryBackend,
  type TaskRecord,
  TaskStore,
  type TaskStoreOptions,
} from "../../mod.ts";

type ErrorClass = typeof TypeError | typeof RangeError;

/** Wrong options of a store, the error, and how its message begins. */
const STORE_OPTIONS: readonly [unknown, ErrorClass, string][] = [
  [null, TypeError, "options is null: expected an object"],
  ["redis://localhost", TypeError, "options is a string: expected an object"],
  [[], TypeError, "options is an array: expected an object"],
  [
    { encription: { keys: [] } },
    TypeError,
    'options has the unknown name "encription": expected limits, ',
  ],
  [{ limits: null }, TypeError, "limits is null: expected an object"],
  [{ limits: 5 }, TypeError, "limits is a number: expected an object"],
  [{ limits: [1] }, TypeError, "limits is an array: expected an object"],
  [
    { limits: { maxTasks: 5 } },
    TypeError,
    'limits has the unknown name "maxTasks": expected maxTasksPerOwner, ',
  ],
  [
    { limits: { maxTasksPerOwner: "5" } },
    TypeError,
    "limits.maxTasksPerOwner is a string: expected a number",
  ],
  [{ allowAnonymous: "no" }, TypeError, "allowAnonymous is a string: expected"],
  [{ allowAnonymous: null }, TypeError, "allowAnonymous is null: expected"],
  [{ pollIntervalMs: "5" }, TypeError, "pollIntervalMs is a string: expected"],
  [{ pollIntervalMs: 0.5 }, RangeError, "pollIntervalMs is 0.5: expected"],
  [{ maxWriteAttempts: "9" }, TypeError, "maxWriteAttempts is a string: "],
  [{ retention: 5 }, RangeError, "retention is a number: expected"],
  [{ retention: "x" }, RangeError, 'retention is "x": expected "creation"'],
  [{ clock: 5 }, TypeError, "clock is a number: expected a function"],
  // Falsy: never "no encryption".
  [{ encryption: null }, TypeError, "encryption is null: expected an object"],
  [{ encryption: false }, TypeError, "encryption is a boolean: expected"],
  [{ encryption: "" }, TypeError, "encryption is a string: expected an object"],
  [
    { encryption: { keys: ["A".repeat(43)], allowUnsealed: "no" } },
    TypeError,
    "encryption.allowUnsealed is a string: expected a boolean",
  ],
  [
    { encryption: { key: "A".repeat(43) } },
    TypeError,
    'encryption has the unknown name "key": expected keys, allowUnsealed',
  ],
];

Deno.test("new TaskStore() refuses options of another type, range or name", () => {
  for (const [options, kind, message] of STORE_OPTIONS) {
    const error = assertThrows(
      () => new TaskStore(new MemoryBackend(), options as TaskStoreOptions),
      kind,
    );
    assert(error.message.startsWith(message), error.message);
  }
  for (const backend of [undefined, null, "redis://localhost", {}, 5]) {
    assertThrows(
      () => new TaskStore(backend as unknown as MemoryBackend),
      TypeError,
      "expected a StorageBackend",
    );
  }
});

Deno.test("new TaskStore() takes options that are left out or undefined", async () => {
  await using backend = new MemoryBackend();
  const names = [
    "limits",
    "allowAnonymous",
    "pollIntervalMs",
    "retention",
    "encryption",
    "maxWriteAttempts",
    "clock",
  ];
  const unset = Object.fromEntries(names.map((name) => [name, undefined]));
  assertEquals(
    new TaskStore(backend, unset).limits,
    new TaskStore(backend).limits,
  );
});

// deno-lint-ignore no-explicit-any
type Any = any;
type Call = (store: TaskStore, record: TaskRecord) => Promise<unknown>;

/** A method by its name, with any arguments. */
const call = (store: TaskStore, name: string, ...args: unknown[]) =>
  ((store as Any)[name] as (...args: unknown[]) => Promise<unknown>)(...args);

const update = (fields: unknown): Call => (store, record) =>
  store.update(record, "alice", fields as Any);
const create = (options: unknown): Call => (store) =>
  store.create("alice", "tools/call", options as Any);
const waitFor = (options: unknown): Call => (store, { task }) =>
  store.waitFor(task.taskId, "alice", options as Any);
const onTask = (name: string, ...rest: unknown[]): Call => (store, record) =>
  call(store, name, record, "alice", ...rest);

const ARGUMENTS: readonly [Call, ErrorClass, string][] = [
  [create(null), TypeError, "options is null: expected an object"],
  [create("x"), TypeError, "options is a string: expected an object"],
  [create({ taskId: 5 }), TypeError, "taskId is a number: expected a string"],
  [create({ taskId: null }), TypeError, "taskId is null: expected a string"],
  [create({ statusMessage: 5 }), TypeError, "statusMessage is a number: "],
  [create({ ttlMs: "1000" }), TypeError, "ttlMs is a string: expected"],
  [create({ pollIntervalMs: "5" }), TypeError, "pollIntervalMs is a string: "],
  [create({ lease: null }), TypeError, "options is null: expected an object"],
  [create({ lease: { holder: "w" } }), TypeError, "forMs is a undefined"],
  [
    create({ lease: { holder: 5, forMs: 1000 } }),
    TypeError,
    "holder is not a name: expected",
  ],
  [
    (store) => call(store, "create", "alice", undefined),
    TypeError,
    "requestMethod is undefined: expected a string",
  ],
  [
    (store) => call(store, "create", 5, "tools/call"),
    TypeError,
    "ownerId is a number: expected a string",
  ],
  [
    (store) => call(store, "get", 5, "alice"),
    TypeError,
    "taskId is a number: expected a string",
  ],
  [
    (store) => call(store, "get", "t", undefined),
    TypeError,
    "ownerId is undefined: expected a string",
  ],
  [
    (store) => call(store, "getResult", null, "alice"),
    TypeError,
    "taskId is null: expected a string",
  ],
  ...["update", "setVariables", "touch", "lease", "renew", "release", "delete"]
    .map((name): typeof ARGUMENTS[number] => [
      (store) =>
        call(store, name, 5, "alice", { ttlMs: 1, holder: "w", forMs: 1 }),
      TypeError,
      "task is a number: expected its id or a TaskRecord",
    ]),
  [update({ status: "done" }), RangeError, 'status is "done": expected one of'],
  [update({ status: null }), TypeError, "status is null: expected a string"],
  [update({ statusMessage: 5 }), TypeError, "statusMessage is a number: "],
  [update({ error: "no" }), TypeError, "error is a string: expected an object"],
  [update({ error: 0 }), TypeError, "error is a number: expected an object"],
  [update({ error: null }), TypeError, "error is null: expected an object"],
  [update({ inputRequests: [] }), TypeError, "inputRequests is an array: "],
  [update({ inputRequests: "" }), TypeError, "inputRequests is a string: "],
  [update({ inputResponses: 0 }), TypeError, "inputResponses is a number: "],
  [update({ fence: "1" }), TypeError, "fence is a string: expected"],
  [update({ fence: 0 }), RangeError, "fence is 0: expected"],
  [update({ result: 1n }), TypeError, ""],
  [onTask("updateStatus"), TypeError, "status is undefined: expected"],
  [onTask("updateStatus", "done"), RangeError, 'status is "done": expected'],
  [onTask("updateStatus", "failed", 5), TypeError, "statusMessage is a number"],
  [onTask("completeWithResult", 1, {}), TypeError, "statusMessage is an obj"],
  [onTask("cancel", 5), TypeError, "statusMessage is a number: expected"],
  [onTask("fail"), TypeError, "error is undefined: expected an object"],
  [onTask("fail", "no"), TypeError, "error is a string: expected an object"],
  [onTask("fail", { code: 1 }), TypeError, ""],
  [onTask("touch"), TypeError, "options is undefined: expected an object"],
  [onTask("touch", {}), TypeError, "ttlMs is a undefined: expected a number"],
  [onTask("touch", { ttlMs: null }), TypeError, "ttlMs is a object: expected"],
  [onTask("lease"), TypeError, "options is undefined: expected an object"],
  [onTask("renew"), TypeError, "options is undefined: expected an object"],
  [onTask("release"), TypeError, "options is undefined: expected an object"],
  [onTask("release", {}), TypeError, "holder is not a name: expected"],
  [onTask("release", { holder: "" }), TypeError, "holder is not a name: "],
  [
    (store) => call(store, "list", "alice", null),
    TypeError,
    "options is null: expected an object",
  ],
  [
    (store) => call(store, "list", "alice", { active: "no" }),
    TypeError,
    "active is a string: expected a boolean",
  ],
  [
    (store) => call(store, "list", "alice", { order: "oldst" }),
    RangeError,
    'order is "oldst": expected "newest" or "oldest"',
  ],
  [waitFor(undefined), TypeError, "options is undefined: expected an object"],
  [waitFor({ status: "done" }), RangeError, 'status is "done": expected one'],
  [waitFor({ status: ["failed", 5] }), TypeError, "status is a number: "],
  [waitFor({ final: "yes" }), TypeError, "final is a string: expected"],
  [waitFor({ final: true, timeoutMs: "5" }), TypeError, "timeoutMs is a str"],
  [waitFor({ final: true, timeoutMs: NaN }), RangeError, "timeoutMs is NaN: "],
  [waitFor({ final: true, signal: {} }), TypeError, "signal is an object: "],
];

Deno.test("methods of TaskStore refuse arguments of another type or range", async () => {
  await using store = new TaskStore(new MemoryBackend(), {
    limits: { maxTtlMs: Infinity },
  });
  const record = await store.create("alice", "tools/call");
  for (const [refused, kind, message] of ARGUMENTS) {
    const error = await assertRejects(
      () => refused(store, record),
      kind,
      undefined,
      message,
    );
    assert(error.message.startsWith(message), error.message);
  }
  // Nothing of it was written, nor is anything made.
  assertEquals(await store.list("alice"), { tasks: [record] });
});

Deno.test("watch() and signalFor() throw for arguments of another type", async () => {
  await using store = new TaskStore(new MemoryBackend());
  const wrong: readonly [string, unknown[], string][] = [
    ["watch", [5, "alice"], "taskId is a number: expected a string"],
    ["watch", ["t", 5], "ownerId is a number: expected a string"],
    ["watch", ["t", "alice", null], "options is null: expected an object"],
    ["watch", ["t", "alice", { signal: 5 }], "signal is a number: expected"],
    ["signalFor", [5, "alice"], "taskId is a number: expected a string"],
    ["signalFor", ["t", null], "ownerId is null: expected a string"],
  ];
  for (const [name, args, message] of wrong) {
    assertThrows(() => call(store, name, ...args), TypeError, message);
  }
});

Deno.test("an update is what it was at the call", async () => {
  await using store = new TaskStore(new MemoryBackend());
  const { task } = await store.create("alice", "tools/call");
  const fields = { statusMessage: "first" };
  const updating = store.update(task.taskId, "alice", fields);
  fields.statusMessage = "second";
  assertEquals((await updating).task.statusMessage, "first");
  const options = { holder: "worker-1", forMs: 60_000 };
  const leasing = store.lease(task.taskId, "alice", options);
  options.holder = "worker-2";
  assertEquals((await leasing).lease?.holder, "worker-1");
});
