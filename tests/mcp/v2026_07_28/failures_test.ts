/**
 * What clients of the extension see of a failure, and what the operator is
 * told: the same sentence as in the other era.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  BackendError,
  InvalidKeyError,
  makeKey,
  MemoryBackend,
  NotFoundError,
  QueueFullError,
  type StorageError,
  TaskStorageError,
  TaskStore,
} from "../../../mod.ts";
import { RpcClient } from "./client.ts";
import { type FixtureHooks, makeServer } from "./fixture.ts";

const SECRET = 'the key "alice:t" at 10.0.0.7:6379';
const SHOWN = { code: -32603, message: "the task storage failed" };

/** A storage that fails once told to. */
class FailingBackend extends MemoryBackend {
  failing: Error | undefined;

  override get(key: string) {
    if (this.failing) return Promise.reject(this.failing);
    return super.get(key);
  }
}

async function serve(
  body: (fixture: {
    client: RpcClient;
    old: RpcClient;
    backend: FailingBackend;
    errors: unknown[];
  }) => Promise<void>,
  hooks: FixtureHooks = {},
): Promise<void> {
  await using backend = new FailingBackend();
  const errors: unknown[] = [];
  const { fetch, extension } = makeServer(new TaskStore(backend), {
    onError: (error) => {
      errors.push(error);
      throw new Error("onError must not make errors");
    },
  }, hooks);
  try {
    await body({
      client: new RpcClient(fetch),
      old: new RpcClient(fetch, { capabilities: {} }),
      backend,
      errors,
    });
  } finally {
    await extension.drain({ timeoutMs: 0 });
  }
}

Deno.test("a failure of the storage is one sentence to clients, and whole to onError", async () => {
  await serve(async ({ client, backend, errors }) => {
    const taskId = await client.start("ignores_signal");
    backend.failing = new BackendError(SECRET);
    const params = { taskId, inputResponses: { x: { action: "cancel" } } };
    for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
      assertEquals(await client.error(method, params), SHOWN, method);
    }
    const { response } = await client.listen({ taskIds: [taskId] });
    assertEquals((await response.json()).error, SHOWN);
    assertEquals(errors.length, 4);
    for (const error of errors) {
      assert(error instanceof TaskStorageError);
      assert((error as Error).message.includes(SECRET));
    }
    backend.failing = undefined;
  });
});

Deno.test("an error that no one foresaw is not shown to clients, and whole to onError", async () => {
  await serve(async ({ client, backend, errors }) => {
    const taskId = await client.start("ignores_signal");
    const bug = backend.failing = new TypeError(SECRET);
    const params = { taskId, inputResponses: {} };
    assertEquals(await client.error("tasks/get", params), {
      code: -32603,
      message: "the request could not be answered",
    });
    assertEquals(errors, [bug]);
    backend.failing = undefined;
  });
});

const OF_THE_STORAGE: StorageError[] = [
  new BackendError(SECRET),
  new NotFoundError(makeKey("alice", "10.0.0.7")),
  new InvalidKeyError(`the key ${SECRET} has no ":"`),
  new QueueFullError(makeKey("alice", "10.0.0.7"), 5, 5),
];

for (const cause of OF_THE_STORAGE) {
  Deno.test(`what a handler passes on of a ${cause.name} is one sentence to clients, and whole to onError`, async () => {
    for (const error of [cause, new TaskStorageError(SECRET, { cause })]) {
      await serve(async ({ client, old, errors }) => {
        const task = await client.until(await client.start("throws"));
        const answers = [
          task,
          await client.rpc("tools/call", {
            name: "answer_throws",
            arguments: {},
          }),
          await old.rpc("tools/call", { name: "throws", arguments: {} }),
        ];
        for (const answer of answers) {
          const text = JSON.stringify(answer);
          assert(text.includes(SHOWN.message), text);
          assert(!/10\.0\.0\.7|alice/.test(text), text);
        }
        assertEquals(errors, [error, error, error]);
      }, {
        throwing: () => {
          throw error;
        },
      });
    }
  });
}

Deno.test("what a handler throws of its own is its client's, not for onError", async () => {
  await serve(async ({ client, old, errors }) => {
    const { result } = await client.until(await client.start("throws"));
    for (const { isError, content } of [result, await old.call("throws")]) {
      assertEquals([isError, content[0].text], [true, "no such city"]);
    }
    assertEquals(errors, []);
  }, {
    throwing: () => {
      throw new Error("no such city");
    },
  });
});

const NO_TEXT: [string, unknown][] = [
  ["an object without a prototype", Object.create(null)],
  ["an object whose toString throws", {
    toString() {
      throw new Error("no text");
    },
  }],
  [
    "an error whose message throws",
    Object.defineProperty(new Error(), "message", {
      get() {
        throw new Error("no message");
      },
    }),
  ],
  [
    "an error whose code throws",
    Object.defineProperty(new Error("its message"), "code", {
      get() {
        throw new Error("no code");
      },
    }),
  ],
  [
    "a proxy that throws at everything",
    new Proxy({}, {
      get() {
        throw new Error("no field");
      },
      getPrototypeOf() {
        throw new Error("no prototype");
      },
    }),
  ],
];

for (const [name, thrown] of NO_TEXT) {
  Deno.test(`a handler that throws ${name} ends its task at once`, async () => {
    await serve(async ({ client, old, errors }) => {
      const task = await client.until(await client.start("throws"));
      assertEquals(task.status, "completed");
      const inline = await old.call("throws");
      for (const result of [task.result, inline]) {
        assertEquals(result.isError, true);
        assertEquals(result.content.length, 1);
        assert(/cannot be shown|its message/.test(result.content[0].text));
      }
      assertEquals(errors, []);
    }, {
      throwing: () => {
        throw thrown;
      },
    });
  });
}

Deno.test("a result whose toJSON throws no text fails its task at once", async () => {
  await serve(async ({ client }) => {
    const { taskId } = await client.call("returns", { kind: "no_text" });
    const { status, error } = await client.until(taskId);
    assertEquals(status, "failed");
    assertEquals(error, {
      code: -32603,
      message: "what was thrown cannot be shown as text",
    });
  });
});
