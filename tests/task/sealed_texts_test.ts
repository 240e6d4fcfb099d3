/**
 * Messages of queues and recorded steps where encryption is on (EVIDENCE S):
 * they keep the contract of their engine, cannot be read in the storage, and
 * cannot be made, moved or altered there.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  InvalidDataError,
  makeKey,
  MemoryBackend,
  SdkTaskMessageQueue,
  SdkTaskStore,
  type SealKey,
  type StorageBackend,
  TaskStore,
  type TaskStoreOptions,
} from "../../mod.ts";
import { redisTest } from "../support/redis_fixture.ts";
import type { FullBackend } from "../support/suite/env.ts";
import {
  messageQueueContract,
  type QueueBackend,
} from "../support/suite/message_queue.ts";
import { stepTests } from "../support/suite/steps.ts";

const KEY = makeKey("alice", "t-1");
const OTHERS = [makeKey("alice", "t-2"), makeKey("bob", "t-1")];
const A: SealKey = new Uint8Array(32).fill(1);
const B: SealKey = new Uint8Array(32).fill(2);

function storeOf(
  backend: StorageBackend,
  keys: readonly SealKey[] = [A],
  options: TaskStoreOptions = {},
): TaskStore {
  return new TaskStore(backend, { encryption: { keys }, ...options });
}

/** The backend with the queues and steps that a store on it seals. */
function sealed<T extends StorageBackend>(backend: T): T {
  const { queues, steps } = storeOf(backend);
  return new Proxy(backend, {
    get(target, name) {
      if (name === "queues") return queues;
      if (name === "steps") return steps;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

messageQueueContract((name, body, options) => {
  if (options !== undefined) return; // what is bounded is what is stored
  Deno.test(`memory_sealed_${name}`, async () => {
    await using backend = new MemoryBackend(options);
    const queues: QueueBackend = sealed(backend);
    await body([queues, queues]);
  });
  redisTest(`sealed_${name}`, async (redis) => {
    await body([
      sealed(await redis.connect(options)),
      sealed(await redis.connect(options)),
      sealed(await redis.connect(options)),
    ]);
  });
});

stepTests((name, body, { maxRecordBytes, instances = 1 } = {}) => {
  if (maxRecordBytes !== undefined) return;
  Deno.test(`memory_sealed_${name}`, async () => {
    await using backend = new MemoryBackend();
    const steps: FullBackend = sealed(backend);
    await body(steps, steps, () => steps);
  });
  redisTest(`sealed_${name}`, async (redis) => {
    const all: FullBackend[] = [];
    for (let n = 0; n < instances; n++) {
      all.push(sealed(await redis.connect()));
    }
    await body(all[0]!, all.at(-1)!, (n) => all[n % instances]!);
  });
});

Deno.test("s_queued_messages_are_sealed_and_keep_the_order_of_the_calls", async () => {
  await using backend = new MemoryBackend();
  const { queues } = storeOf(backend);
  const messages = Array.from({ length: 20 }, (_, n) =>
    // Long ones take longer to seal.
    `secret ${n} ${"x".repeat(n % 3 === 0 ? 200_000 : 1)}`);
  const calls = messages.map((message) => queues!.push(KEY, message));
  const first = queues!.shift(KEY);
  await Promise.all(calls);
  assertEquals(await first, messages[0]);
  const stored = await backend.queues.drain(KEY);
  assertEquals(stored.length, 19);
  assert(stored.every((text) => !text.includes("secret")));
  for (const text of stored) await backend.queues.push(KEY, text);
  assertEquals(await queues!.drain(KEY), messages.slice(1));
});

Deno.test("s_text_is_opened_as_it_was_written", async () => {
  await using backend = new MemoryBackend();
  const { queues, steps } = storeOf(backend);
  // A decoder takes the first for a mark of the order of bytes.
  const texts = ["\ufeffhello", "\ufeff", "a\ufeff", "", "\0", "sealed:x"];
  for (const text of texts) await queues!.push(KEY, text);
  assertEquals(await queues!.drain(KEY), texts);
  const lease = { holder: "w", forMs: 60_000 };
  const { fence } = await backend.leases.create(KEY, "x", lease);
  for (const [n, text] of texts.entries()) {
    await steps!.record(KEY, fence, `step ${n}`, text);
  }
  assertEquals([...(await steps!.open(KEY, fence)).values()], texts);
});

Deno.test("s_message_that_no_key_opens_is_no_message", async () => {
  await using backend = new MemoryBackend();
  const store = storeOf(backend);
  const foreign = storeOf(backend, [B]);
  const told: unknown[] = [];
  const onError = (error: unknown) => void told.push(error);
  const message = {
    type: "notification" as const,
    timestamp: 1,
    message: { jsonrpc: "2.0" as const, method: "notifications/message" },
  };
  const sdk = new SdkTaskMessageQueue(store.queues!, { onError })
    .forOwner("alice");
  const genuine = async (key: string) => {
    await store.queues!.push(key, JSON.stringify(message));
    return (await backend.queues.shift(key))!;
  };
  const altered = async () => {
    const text = await genuine(KEY);
    return text.slice(0, -8) + (text.at(-8) === "A" ? "B" : "A") +
      text.slice(-7);
  };
  await foreign.queues!.push(OTHERS[0]!, JSON.stringify(message));
  const forgeries = [
    JSON.stringify(message),
    "",
    "sealed:",
    "sealed:not base64!",
    await altered(),
    (await backend.queues.shift(OTHERS[0]!))!,
    await genuine(OTHERS[0]!),
    await genuine(OTHERS[1]!),
  ];
  for (const takeAll of [false, true]) {
    for (const text of forgeries) await backend.queues.push(KEY, text);
    await sdk.enqueue("t-1", message);
    const [found] = takeAll
      ? await sdk.dequeueAll("t-1")
      : [await sdk.dequeue("t-1")];
    assertEquals(found, message);
    assertEquals(await sdk.dequeue("t-1"), undefined);
    assertEquals(told.length, forgeries.length);
    for (const error of told) {
      assert(error instanceof InvalidDataError, `${error}`);
      assertEquals((error as InvalidDataError).key, KEY);
    }
    told.length = 0;
  }
});

Deno.test("s_message_outlives_the_rotation_of_keys_and_its_introduction", async () => {
  await using backend = new MemoryBackend();
  await new TaskStore(backend).queues!.push(KEY, "plain");
  await storeOf(backend, [A]).queues!.push(KEY, "old");
  await storeOf(backend, [B, A]).queues!.push(KEY, "new");
  const encryption = { keys: [B, A], allowUnsealed: true };
  const { queues } = storeOf(backend, [], { encryption });
  assertEquals(await queues!.drain(KEY), ["plain", "old", "new"]);
});

Deno.test("s_sealed_queue_belongs_to_the_tasks_of_its_backend", async () => {
  // SDK 1.24 to 1.31 queue without a session: the owner is found by the task.
  await using backend = new MemoryBackend();
  const tasks = storeOf(backend);
  const store = new SdkTaskStore(tasks);
  const queue = new SdkTaskMessageQueue(tasks.queues!);
  const request = { method: "tools/call", params: { name: "slow" } };
  const { taskId } = await store.createTask({}, 1, request, "session-1");
  const message = {
    type: "notification" as const,
    timestamp: 1,
    message: { jsonrpc: "2.0" as const, method: "notifications/message" },
  };
  await queue.enqueue(taskId, message);
  assertEquals(await queue.dequeue(taskId, "session-1"), message);
});

Deno.test("s_steps_are_sealed_and_bound_to_their_task_and_name", async () => {
  await using backend = new MemoryBackend();
  const { steps } = storeOf(backend);
  const held = async (key: string) => {
    const lease = { holder: "w", forMs: 60_000 };
    return (await backend.leases.create(key, "x", lease)).fence;
  };
  const fence = await held(KEY);
  await steps!.record(KEY, fence, "charge", "card 4242");
  const sealedStep = (await backend.steps.open(KEY, fence)).get("charge")!;
  assert(!sealedStep.includes("4242"));
  assertEquals(
    await steps!.open(KEY, fence),
    new Map([["charge", "card 4242"]]),
  );
  // Under another name, of another task, of another key, plain, or altered.
  const places = [
    [OTHERS[0]!, "charge", sealedStep],
    [OTHERS[1]!, "charge", sealedStep],
    [makeKey("alice", "t-3"), "refund", sealedStep],
    [makeKey("alice", "t-4"), "charge", "card 4242"],
    [makeKey("alice", "t-5"), "charge", sealedStep.slice(0, -4)],
  ] as const;
  for (const [key, name, text] of places) {
    const other = await held(key);
    await backend.steps.record(key, other, name, text);
    await assertRejects(() => steps!.open(key, other), InvalidDataError);
    await assertRejects(
      () => steps!.record(key, other, name, "mine"),
      InvalidDataError,
    );
  }
  await assertRejects(
    () => storeOf(backend, [B]).steps!.open(KEY, fence),
    InvalidDataError,
  );
  assertEquals(
    await storeOf(backend, [B, A]).steps!.open(KEY, fence),
    new Map([["charge", "card 4242"]]),
  );
  // The same task, but under another name, or as a message.
  await backend.queues.push(KEY, sealedStep);
  assertEquals(await storeOf(backend).queues!.shift(KEY), undefined);
  await backend.steps.record(KEY, fence, "refund", sealedStep);
  await assertRejects(() => steps!.open(KEY, fence), InvalidDataError);
});

Deno.test("s_step_of_an_earlier_task_of_the_same_id_is_none_of_this_one", async () => {
  await using backend = new MemoryBackend();
  const store = storeOf(backend);
  const { steps } = store;
  const live = async () => {
    const lease = { holder: "w", forMs: 60_000 };
    const options = { taskId: "t-1", lease };
    const record = await store.create("alice", "tools/call", options);
    return record.lease!.fence;
  };
  const first = await live();
  await steps!.record(KEY, first, "charge", "receipt");
  const old = (await backend.steps.open(KEY, first)).get("charge")!;
  // It stays the step of its own task, whatever is written to that, and for
  // every instance.
  await store.setVariables("t-1", "alice", { n: 1 });
  const elsewhere = storeOf(backend).steps!;
  assertEquals([...await elsewhere.open(KEY, first)], [["charge", "receipt"]]);
  await store.delete("t-1", "alice");
  const second = await live();
  await backend.steps.record(KEY, second, "charge", old);
  await assertRejects(() => steps!.open(KEY, second), InvalidDataError);
  await assertRejects(
    () => steps!.record(KEY, second, "charge", "mine"),
    InvalidDataError,
  );
});

Deno.test("s_steps_of_a_task_that_was_tampered_with_are_not_opened", async () => {
  await using backend = new MemoryBackend();
  const store = storeOf(backend);
  const lease = { holder: "w", forMs: 60_000 };
  const options = { taskId: "t-1", lease };
  const record = await store.create("alice", "tools/call", options);
  const { fence } = record.lease!;
  await store.steps!.record(KEY, fence, "charge", "receipt");
  const { data } = await backend.get(KEY);
  await backend.put(KEY, data.replace(record.runId!, crypto.randomUUID()));
  const { steps } = storeOf(backend);
  await assertRejects(() => steps!.open(KEY, fence), InvalidDataError);
});

Deno.test("store_without_encryption_hands_out_the_parts_of_its_backend", () => {
  const backend = new MemoryBackend();
  const store = new TaskStore(backend);
  assertEquals(store.queues, backend.queues);
  assertEquals(store.steps, backend.steps);
  return backend.close();
});
