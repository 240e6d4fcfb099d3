/**
 * The options of every adapter are checked when it is made: no client is the
 * first to see that one is wrong.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { McpServer } from "@modelcontextprotocol/server";
import {
  BackendError,
  ExtTaskStore,
  MemoryBackend,
  SdkTaskMessageQueue,
  SdkTaskStore,
  TaskError,
  TasksExtension,
  TaskStore,
} from "../../mod.ts";
import { resolveOwner as resolveCallOwner } from "../../src/mcp/owner.ts";
import { unhandledDuring } from "./unhandled.ts";

const HOUR = 60 * 60 * 1000;

const REQUEST = { method: "tools/call", params: { name: "slow" } };

/** A wrong value of an option, and the words of its error. */
type Wrong = readonly [field: string, value: unknown, words: string];

const CALLBACK: Wrong[] = [
  ["onError", 5, "onError is 5: expected a function"],
  ["onError", null, "onError is null: expected a function"],
  ["onError", {}, "onError is an object: expected a function"],
];
const HOLDER: Wrong[] = [
  ["holder", "", "holder is empty: expected the name of this process"],
  ["holder", "\ud800", 'holder is "\\ud800": expected the name'],
  ["holder", 7, "holder is 7: expected the name"],
];
const TIMES: Wrong[] = [
  ["ttlMs", -1, "is -1: expected an integer from 1 to 86400000"],
  ["ttlMs", 0, "is 0: expected"],
  ["ttlMs", "60", "is a string: expected a number"],
  ["ttlMs", 25 * HOUR, "is 90000000: expected an integer from 1 to 86400000"],
  ["ttlMs", null, "is null: expected at most limits.maxTtlMs of the store"],
  ["pollIntervalMs", NaN, "is NaN: expected an integer from 1"],
  ["pollIntervalMs", 0.5, "is 0.5: expected an integer from 1"],
  ["pollIntervalMs", "5", "is a string: expected a number"],
];
const SDK_OWNERS: Wrong[] = [
  ["resolveOwner", 5, "resolveOwner is 5: expected a function"],
  ["resolveOwner", "alice", 'resolveOwner is "alice": expected a function'],
  ["defaultOwner", 5, "defaultOwner is 5: expected the owner of such calls"],
  ["defaultOwner", "\ud800", 'defaultOwner is "\\ud800": expected'],
];

const store = new TaskStore(new MemoryBackend());
const MADE: Record<string, [(options: object) => unknown, Wrong[]]> = {
  TasksExtension: [
    (options) => new TasksExtension(store, { owner: () => "a", ...options }),
    [
      ...CALLBACK,
      ...HOLDER,
      ...TIMES,
      ["owner", undefined, "owner is undefined: expected a function"],
      ["owner", "alice", 'owner is "alice": expected a function'],
      ["leaseMs", NaN, "leaseMs is NaN: expected an integer from 100"],
      ["maxSubscriptions", -1, "maxSubscriptions is -1: expected"],
      ["maxBehindMs", 0, "maxBehindMs is 0: expected"],
      ["keepAliveMs", "1", "keepAliveMs is a string: expected"],
    ],
  ],
  ExtTaskStore: [
    (options) => new ExtTaskStore(store, options),
    [
      ...CALLBACK,
      ...HOLDER,
      ["owner", 5, "owner is 5: expected a function"],
      ["leaseMs", NaN, "leaseMs is NaN: expected an integer from 100"],
    ],
  ],
  SdkTaskStore: [
    (options) => new SdkTaskStore(store, options),
    [...CALLBACK, ...SDK_OWNERS, ...TIMES.slice(5)],
  ],
  SdkTaskMessageQueue: [
    (options) => new SdkTaskMessageQueue(store.queues!, options),
    [
      ...CALLBACK,
      ...SDK_OWNERS,
      ["ttlMs", -1, "ttlMs is -1: expected an integer from 1"],
      ["ttlMs", null, "ttlMs is a object: expected a number"],
      ["ttlMs", NaN, "ttlMs is NaN: expected an integer from 1"],
    ],
  ],
};

for (const [name, [make, wrong]] of Object.entries(MADE)) {
  Deno.test(`${name} checks its options when it is made`, () => {
    make({});
    for (const [field, value, words] of wrong) {
      const error = assertThrows(() => make({ [field]: value }), Error);
      assert(error instanceof TypeError || error instanceof RangeError);
      const { message } = error as Error;
      assert(message.startsWith(`${field} is `), message);
      assert(message.includes(words), message);
    }
  });
}

Deno.test("registerTool() checks the options of the tool", () => {
  const extension = new TasksExtension(store, { owner: () => "a" });
  const mcp = new McpServer({ name: "test", version: "1.0.0" });
  extension.attach(mcp);
  const register = (config: object, handler: unknown = () => ({})) =>
    extension.registerTool(
      mcp,
      "sum",
      { task: "required", ...config },
      handler as () => { content: [] },
    );
  const wrong: Wrong[] = [
    ...TIMES,
    ["answer", 5, "is 5: expected a function"],
    ["task", "maybe", 'is "maybe": expected "optional" or "required"'],
  ];
  for (const [field, value, words] of wrong) {
    const error = assertThrows(() => register({ [field]: value }), Error);
    const { message } = error as Error;
    assert(message.startsWith(`${field} of tool "sum" is `), message);
    assert(message.includes(words), message);
  }
  assertThrows(
    () => register({}, 5),
    TypeError,
    'the handler of tool "sum" is 5: expected a function',
  );
  register({}); // None of those has taken the name.
});

Deno.test("an option is used as it was when it was checked", async () => {
  await using tasks = new TaskStore(new MemoryBackend());
  const options = { defaultOwner: "alice" };
  const sdk = new SdkTaskStore(tasks, options);
  options.defaultOwner = "mallory";
  const { taskId } = await sdk.createTask({}, 1, REQUEST);
  assertEquals((await tasks.get(taskId, "alice")).ownerId, "alice");
});

Deno.test("a backend without what an adapter needs is refused when it is made", () => {
  const backend = new MemoryBackend();
  Object.defineProperty(backend, "leases", { value: undefined });
  Object.defineProperty(backend, "queues", { value: undefined });
  const tasks = new TaskStore(backend);
  assertThrows(
    () => new TasksExtension(tasks, { owner: () => "a" }),
    TypeError,
    "keeps no leases",
  );
  assertThrows(
    () => new SdkTaskMessageQueue(tasks.queues!),
    TypeError,
    "queues is undefined: expected the queues of a store",
  );
});

Deno.test("an identity that is no text is refused", () => {
  for (const identity of ["", "\ud800", 7, undefined]) {
    for (
      const bind of [
        () => new SdkTaskStore(store).forOwner(identity as string),
        () =>
          new SdkTaskMessageQueue(store.queues!).forOwner(identity as string),
        () => new ExtTaskStore(store).forOwner(identity as string),
      ]
    ) {
      assertThrows(bind, TypeError, "expected the authenticated identity");
    }
  }
});

Deno.test("who is named as tasks without an owner has none of them", async () => {
  const tasks = new TaskStore(new MemoryBackend(), { allowAnonymous: true });
  const { task: { taskId } } = await tasks.create("", "tools/call");
  const messages: string[] = [];
  const onError = (error: unknown) => {
    messages.push(((error as Error).cause as Error).message);
  };
  const ext = new ExtTaskStore(tasks, { onError });
  const resolveOwner = () => "local";
  const sdk = new SdkTaskStore(tasks, { onError, resolveOwner });
  const queue = new SdkTaskMessageQueue(tasks.queues!, {
    onError,
    resolveOwner,
  });
  for (
    const call of [
      () => ext.get(taskId, { principal: "local" }),
      () => sdk.getTask(taskId),
      () => queue.dequeue(taskId),
      () => resolveCallOwner(() => "local", {}),
    ]
  ) {
    await assertRejects(call, TaskError, "could not be determined");
  }
  assertEquals(messages.length, 3);
  for (const message of messages) {
    assert(message.startsWith('the owner is "local", the name of'), message);
  }
  for (const one of [ext, sdk, queue]) {
    assertThrows(() => one.forOwner("local"), TypeError, 'identity is "local"');
  }
  // Who names no one has them, as allowAnonymous says.
  assertEquals((await ext.get(taskId, {}))?.taskId, taskId);
});

Deno.test("an onError that is async and fails ends no process", async () => {
  const fail = () => Promise.reject(new Error("a logger that fails"));
  // Libraries have promises of their own, and so has every other realm.
  const failOtherwise = () => {
    const promise = fail();
    return { then: promise.then.bind(promise) };
  };
  for (const answer of [fail, failOtherwise]) {
    const backend = new MemoryBackend();
    const tasks = new TaskStore(backend);
    let told = 0;
    const options = {
      onError: (error: unknown) => {
        assert((error as Error).cause instanceof BackendError);
        told++;
        return answer();
      },
    };
    const sdk = new SdkTaskStore(tasks, options);
    const ext = new ExtTaskStore(tasks, options);
    const queue = new SdkTaskMessageQueue(backend.queues, {
      onError: () => {
        told++;
        return answer();
      },
    });
    await backend.close();
    const reasons = await unhandledDuring(async () => {
      await sdk.getTask("t-1", "s-1").catch(() => {});
      await ext.get("t-1", { principal: "alice" }).catch(() => {});
      await queue.dequeueAll("t-1", "s-1");
    });
    assertEquals(told, 3);
    assertEquals(reasons, []);
  }
});
