/**
 * EVIDENCE E5: questions to the client that are given up, and what is left of
 * them and of their answers.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import {
  BackendError,
  MemoryBackend,
  type TaskHandle,
  TaskStore,
  TaskTimeoutError,
} from "../../../mod.ts";
import { RpcClient } from "./client.ts";
import { elicit, makeServer } from "./fixture.ts";
import { deadline, pause, waitUntil } from "../../support/wait.ts";

const OWNER = "conformance";
const Q = { q: elicit("q?", "q", "string") };
const accept = (content: unknown = {}) => ({ action: "accept", content });

/** A storage that counts the watches that are open, and fails when told to. */
class CountingBackend extends MemoryBackend {
  open = 0;
  failing = false;

  override async *watch(...args: Parameters<MemoryBackend["watch"]>) {
    this.open++;
    try {
      yield* super.watch(...args);
    } finally {
      this.open--;
    }
  }

  override putIfVersion(...args: Parameters<MemoryBackend["putIfVersion"]>) {
    if (this.failing) return Promise.reject(new BackendError("away"));
    return super.putIfVersion(...args);
  }
}

interface Fixture {
  readonly backend: CountingBackend;
  readonly store: TaskStore;
  readonly client: RpcClient;
  readonly errors: unknown[];
}

/** A server whose tool `asks` is the handler. */
async function withHandler(
  asks: (task: TaskHandle) => Promise<string>,
  body: (fixture: Fixture, taskId: string) => Promise<void>,
): Promise<void> {
  await using backend = new CountingBackend();
  const store = new TaskStore(backend);
  const errors: unknown[] = [];
  const { fetch, extension } = makeServer(store, {
    onError: (error) => void errors.push(error),
  }, { asks });
  const client = new RpcClient(fetch);
  try {
    const fixture = { backend, store, client, errors };
    const taskId = await client.start("asks");
    await deadline("the test", body(fixture, taskId), 30_000);
  } finally {
    await extension.drain({ timeoutMs: 0 });
  }
}

/** The text of the result. */
async function resultOf(client: RpcClient, taskId: string): Promise<string> {
  return (await client.until(taskId)).result.content[0].text;
}

Deno.test("a question given up after timeoutMs is withdrawn, and the task works on (E5)", async () => {
  const goOn = Promise.withResolvers<void>();
  let error: unknown;
  await withHandler(async (task) => {
    error = await assertRejects(() => task.requestInput(Q, { timeoutMs: 50 }));
    await goOn.promise;
    return "worked on";
  }, async ({ client, store }, taskId) => {
    assertEquals(
      Object.keys((await client.until(taskId, "input_required")).inputRequests),
      ["q"],
    );
    const task = await client.until(taskId, "working");
    assert(!("inputRequests" in task));
    assert(error instanceof TaskTimeoutError);
    // A late answer is acknowledged, ignored and not kept.
    await client.update(taskId, { q: accept() });
    const record = await store.get(taskId, OWNER);
    assertEquals(record.task.status, "working");
    assertEquals(record.inputResponses, undefined);
    goOn.resolve();
    assertEquals(await resultOf(client, taskId), "worked on");
  });
});

Deno.test("a question given up by its signal leaves others open, and their answers (E5)", async () => {
  const giveUp = new AbortController();
  const reason = new Error("no longer wanted");
  const written = Promise.withResolvers<void>();
  await withHandler(async (task) => {
    const other = task.requestInput({
      a: elicit("a?", "a", "string"),
      b: elicit("b?", "b", "string"),
    });
    const thrown = await assertRejects(() =>
      task.requestInput(Q, { signal: giveUp.signal })
    );
    assertEquals(thrown, reason);
    await task.setStatus("gave up");
    written.resolve();
    const { a, b } = await other;
    return JSON.stringify([a.content, b.content]);
  }, async ({ client }, taskId) => {
    await waitUntil("all are asked", async () => {
      const { inputRequests = {} } = await client.get(taskId);
      return Object.keys(inputRequests).length === 3;
    });
    await client.update(taskId, { a: accept("one") });
    giveUp.abort(reason);
    await written.promise;
    // What the handler writes next comes after the withdrawal.
    const { status, inputRequests } = await client.get(taskId);
    assertEquals([status, Object.keys(inputRequests)], ["input_required", [
      "b",
    ]]);
    await client.update(taskId, { b: accept("two") });
    assertEquals(await resultOf(client, taskId), '["one","two"]');
  });
});

Deno.test("requestInput() refuses what it cannot wait for, and asks nothing", async () => {
  const aborted = AbortSignal.abort(new Error("too late"));
  await withHandler(async (task) => {
    await assertRejects(
      () => task.requestInput(Q, { timeoutMs: -1 }),
      RangeError,
      "timeoutMs is -1",
    );
    await assertRejects(
      () => task.requestInput(Q, { timeoutMs: Number.NaN }),
      RangeError,
    );
    await assertRejects(
      () => task.requestInput(Q, { signal: aborted }),
      Error,
      "too late",
    );
    return "asked nothing";
  }, async ({ client, store }, taskId) => {
    assertEquals(await resultOf(client, taskId), "asked nothing");
    assertEquals((await store.get(taskId, OWNER)).version, 2);
  });
});

Deno.test("questions given up leak no watch, and neither does one whose handler has returned (E5)", async () => {
  const asked = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  await withHandler(async (task) => {
    for (let i = 0; i < 50; i++) {
      await task.requestInput(Q, { timeoutMs: 1 }).catch(() => {});
    }
    // Lost in a race, and let go.
    await Promise.race([task.requestInput(Q), pause(20)]);
    void task.requestInput(Q);
    asked.resolve();
    await goOn.promise;
    return "did not wait";
  }, async ({ client, backend }, taskId) => {
    await asked.promise;
    await waitUntil("those given up have ended", () => backend.open === 3);
    goOn.resolve();
    assertEquals(await resultOf(client, taskId), "did not wait");
    await waitUntil("all watches have ended", () => backend.open === 0);
  });
});

Deno.test("answers are kept only as long as their question needs them (E5)", async () => {
  const sizes: number[] = [];
  const rounds = 200;
  let store!: TaskStore;
  await withHandler(async (task) => {
    for (let i = 0; i < rounds; i++) {
      await task.requestInput(Q);
      const record = await store.get(task.taskId!, OWNER);
      sizes.push(JSON.stringify(record).length);
    }
    return "asked enough";
  }, async (fixture, taskId) => {
    store = fixture.store;
    const { client } = fixture;
    const answer = accept("x".repeat(2000));
    for await (const record of store.watch(taskId, OWNER)) {
      const [key] = Object.keys(record.inputRequests ?? {});
      if (key !== undefined) await client.update(taskId, { [key]: answer });
      if (record.task.status === "completed") break;
    }
    assertEquals(sizes.length, rounds);
    // One answer, where all 200 are 410 KB.
    assert(Math.max(...sizes) < 4000, `${Math.max(...sizes)} characters`);
    const { inputResponses } = await store.get(taskId, OWNER);
    assertEquals(inputResponses, undefined);
  });
});

Deno.test("a cancelled task keeps no answers (E5)", async () => {
  await withHandler(async (task) => {
    await task.requestInput({ ...Q, r: elicit("r?", "r", "string") });
    return "never";
  }, async ({ client, store }, taskId) => {
    await client.until(taskId, "input_required");
    await client.update(taskId, { q: accept("private") });
    await client.cancel(taskId);
    const { inputResponses } = await store.get(taskId, OWNER);
    assertEquals(inputResponses, undefined);
  });
});

Deno.test("a question is given up in time while the storage is away, and withdrawn when it is back (E5)", async () => {
  let backend!: CountingBackend;
  const givenUp = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const asking = new AbortController();
  await withHandler(async (task) => {
    await task.requestInput(Q, { signal: asking.signal }).catch(() => {});
    givenUp.resolve();
    await goOn.promise;
    return "worked on";
  }, async (fixture, taskId) => {
    const { client, errors } = fixture;
    backend = fixture.backend;
    await client.until(taskId, "input_required");
    backend.failing = true;
    asking.abort();
    await deadline("it is given up", givenUp.promise, 1000);
    await waitUntil("the withdrawal has failed", () => errors.length > 0);
    assertEquals((await client.get(taskId)).status, "input_required");
    backend.failing = false;
    await client.until(taskId, "working");
    goOn.resolve();
    assertEquals(await resultOf(client, taskId), "worked on");
  });
});

Deno.test("answered or given up, never both, and nothing is left of it (E5)", async () => {
  const turns = fc.integer({ min: 0, max: 30 });
  await fc.assert(
    fc.asyncProperty(turns, turns, async (answerAfter, giveUpAfter) => {
      const turn = async (count: number) => {
        for (let i = 0; i < count; i++) await Promise.resolve();
      };
      const giveUp = new AbortController();
      const goOn = Promise.withResolvers<void>();
      const end = Promise.withResolvers<string>();
      await withHandler(async (task) => {
        const outcome = await task.requestInput(Q, { signal: giveUp.signal })
          .then(() => "answered", () => "given up");
        await task.setStatus("on it");
        end.resolve(outcome);
        await goOn.promise;
        return outcome;
      }, async ({ client, store, errors }, taskId) => {
        await client.until(taskId, "input_required");
        const answering = turn(answerAfter).then(() =>
          client.update(taskId, { q: accept() })
        );
        await turn(giveUpAfter);
        if (giveUpAfter < 30) giveUp.abort(new Error("given up"));
        await answering;
        const outcome = await deadline("an end", end.promise);
        const record = await store.get(taskId, OWNER);
        assertEquals(record.task.status, "working");
        assertEquals(record.inputRequests, undefined);
        assertEquals(record.inputResponses, undefined);
        goOn.resolve();
        assertEquals(await resultOf(client, taskId), outcome);
        assertEquals(errors, []);
      });
    }),
    { numRuns: 60 },
  );
});
