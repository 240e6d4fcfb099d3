/**
 * `ExtTaskStore` on a storage that fails for a while, or stores and says that
 * too few replicas have it.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  type ExtDetailedTask,
  type ExtTaskError,
  ExtTaskStore,
  type ExtTaskStoreOptions,
  MemoryBackend,
  TaskStorageError,
  TaskStore,
} from "../../../mod.ts";
import { unhandledDuring } from "../unhandled.ts";
import { deadline, waitUntil } from "../../support/wait.ts";
import { ALICE, elicit } from "./suite/env.ts";

/** A storage whose operations fail on demand. */
class Failing extends MemoryBackend {
  /** How many of the next operations fail, by name. */
  readonly away: Record<string, number> = {};
  /** Whether what is written is stored, and an error all the same. */
  tooFewReplicas = false;

  constructor() {
    super();
    const { leases } = this;
    const renew = leases.renew.bind(leases);
    leases.renew = (...args) => this.#failing("renew", () => renew(...args));
  }

  override get(...args: Parameters<MemoryBackend["get"]>) {
    return this.#failing("get", () => super.get(...args));
  }

  override create(...args: Parameters<MemoryBackend["create"]>) {
    return this.#written("create", () => super.create(...args));
  }

  override putIfVersion(...args: Parameters<MemoryBackend["putIfVersion"]>) {
    return this.#written("put", () => super.putIfVersion(...args));
  }

  async #written(name: string, write: () => Promise<number>): Promise<number> {
    const version = await this.#failing(name, write);
    if (!this.tooFewReplicas) return version;
    throw new BackendError("1 of 2 replicas", { outcome: "applied", version });
  }

  async #failing<T>(name: string, operation: () => Promise<T>): Promise<T> {
    const left = this.away[name] ?? 0;
    if (left === 0) return await operation();
    this.away[name] = left - 1;
    throw new BackendError(`${name} failed at mcp:tasks:{alice}:secret`);
  }
}

function failingTest(
  name: string,
  body: (
    backend: Failing,
    store: ExtTaskStore,
    errors: unknown[],
  ) => Promise<void>,
  options: ExtTaskStoreOptions = {},
): void {
  Deno.test(`ext_tasks: ${name}`, async () => {
    await using backend = new Failing();
    const errors: unknown[] = [];
    const store = new ExtTaskStore(new TaskStore(backend), {
      onError: (error) => void errors.push(error),
      ...options,
    });
    try {
      await body(backend, store, errors);
    } finally {
      store.close();
    }
  });
}

/** The error a task has failed with. */
function errorOf(task: ExtDetailedTask | undefined): { message: string } {
  assertEquals(task?.status, "failed");
  return (task as unknown as { error: { message: string } }).error;
}

failingTest("an end is written again until the storage is back", async (
  backend,
  store,
  errors,
) => {
  for (const end of ["complete", "fail"] as const) {
    const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
    const handle = store.handle(taskId);
    await handle.status("at work");
    backend.away.put = 3;
    errors.length = 0;
    const error = { code: -32000, message: "no", content: [] };
    await deadline("it is written", handle[end](error));
    assertEquals(backend.away.put, 0);
    assertEquals(errors.length, 3);
    const { status } = (await store.get(taskId, ALICE))!;
    assertEquals(status, end === "fail" ? "failed" : "completed");
  }
});

failingTest(
  "a handle taken while the storage is away works once it is back",
  async (
    backend,
    store,
  ) => {
    const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
    backend.away.get = 2;
    const handle = store.handle(taskId);
    await deadline("it is written", handle.status("at work"));
    assertEquals(backend.away.get, 0);
    const asking = handle.requireInput({ key: elicit("?") });
    await waitUntil(
      "it is asked",
      async () => (await store.get(taskId, ALICE))?.status === "input_required",
    );
    await store.update(taskId, { key: { n: 1 } }, ALICE);
    assertEquals(await deadline("answered", asking), { key: { n: 1 } });
  },
);

failingTest(
  "an end that cannot be written is given up with the lease",
  async (backend, store, errors) => {
    const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
    const handle = store.handle(taskId);
    await handle.status("at work");
    backend.away.put = backend.away.renew = Infinity;
    const ending = handle.complete({ content: [] });
    const error = await assertRejects(
      () => deadline("it is given up", ending),
      Error,
      "the task storage failed",
    );
    assert(error.cause instanceof TaskStorageError);
    assert(handle.signal.aborted);
    assert(errors.length > 1);
    backend.away.put = 0;
    await waitUntil(
      "the task has failed",
      async () => (await store.get(taskId, ALICE))?.status === "failed",
    );
  },
  { leaseMs: 300 },
);

failingTest("what is stored is done, though too few replicas have it", async (
  backend,
  store,
  errors,
) => {
  backend.tooFewReplicas = true;
  const create = () => store.create({ ttlMs: 60_000, ...ALICE });
  const { taskId } = await create();
  const handle = store.handle(taskId);
  await handle.status("at work");
  const asking = handle.requireInput({ key: elicit("?") });
  await waitUntil(
    "it is asked",
    async () => (await store.get(taskId, ALICE))?.status === "input_required",
  );
  assert(await store.update(taskId, { key: { n: 1 } }, ALICE));
  assertEquals(await deadline("answered", asking), { key: { n: 1 } });
  await handle.complete({ content: [] });
  assertEquals((await store.get(taskId, ALICE))?.status, "completed");
  const { taskId: other } = await create();
  const { signal } = store.handle(other);
  assert(await store.cancel(other, ALICE));
  assert(signal.aborted);
  assertEquals(errors.length, 7);
});

failingTest("a failure has no key and no owner in it for a client", async (
  backend,
  store,
  errors,
) => {
  const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
  const handle = store.handle(taskId);
  await handle.status("at work");
  for (
    const [name, call] of [
      ["get", () => store.get(taskId, ALICE)],
      ["get", () => store.context(taskId)],
      ["get", () => store.cancel(taskId, ALICE)],
      ["create", () => store.create({ ttlMs: 1000, ...ALICE })],
      ["put", () => handle.status("more")],
      ["put", () => handle.requireInput({ key: elicit("?") })],
    ] as const
  ) {
    backend.away[name] = 1;
    const error = await assertRejects<Error>(call, Error);
    assertEquals(error.message, "the task storage failed");
    assert(String(errors.pop()).includes("secret"));
  }
});

failingTest("a promise of a handle that is let go ends no process", async (
  backend,
  store,
) => {
  const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
  const handle = store.handle(taskId);
  handle.requireInput({ key: elicit("?") });
  await waitUntil(
    "it is asked",
    async () => (await store.get(taskId, ALICE))?.status === "input_required",
  );
  const reasons = await unhandledDuring(async () => {
    await backend.close();
    handle.status("let go");
    handle.complete({ content: [] });
    handle.fail({ code: 1, message: "let go" });
    handle.requireInput({});
    // Who awaits, and after those are rejected, sees the rejection.
    await assertRejects(() => handle.fail({ code: 1, message: "" }), Error);
    store.close();
  });
  assertEquals(reasons, []);
});

failingTest(
  "a result that throws no text as it is stored fails its task",
  async (
    _backend,
    store,
  ) => {
    const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
    await deadline(
      "it is over",
      store.handle(taskId).complete({
        toJSON() {
          throw Object.create(null);
        },
      }),
    );
    const task = await store.get(taskId, ALICE);
    assertEquals(
      errorOf(task).message,
      "what was thrown cannot be shown as text",
    );
  },
);

failingTest(
  "a task that is failed with an error shows what a client may see of it",
  async (
    _backend,
    store,
    errors,
  ) => {
    const failWith = async (thrown: Error) => {
      const { taskId } = await store.create({ ttlMs: 60_000, ...ALICE });
      await store.handle(taskId).fail(thrown as unknown as ExtTaskError);
      return errorOf(await store.get(taskId, ALICE));
    };
    const meant = Object.assign(new Error("no such city"), { code: -32001 });
    assertEquals(await failWith(meant), {
      code: -32001,
      message: "no such city",
    });
    assertEquals(await failWith(new Error("a bug")), {
      code: -32603,
      message: "a bug",
    });
    assertEquals(errors, []);
    const cause = new BackendError("get failed at mcp:tasks:{alice}:secret");
    const secrets = [cause, new TaskStorageError(cause.message, { cause })];
    for (const secret of secrets) {
      assertEquals(await failWith(secret), {
        code: -32603,
        message: "the task storage failed",
      });
    }
    assertEquals(errors, secrets);
  },
);
