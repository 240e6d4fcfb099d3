/**
 * Whose tasks a request sees: the owner that the server names, at once or
 * later, and what clients see where it names none.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  MemoryBackend,
  ownerOf,
  TaskCancelledError,
  type TasksExtensionOptions,
  TaskStore,
} from "../../../mod.ts";
import { RpcClient } from "./client.ts";
import { makeServer } from "./fixture.ts";

const METHODS = ["tasks/get", "tasks/cancel", "tasks/update", "tools/call"];

/** A server whose owners are found so, and what `onError` was told. */
async function withOwner(
  owner: TasksExtensionOptions["owner"],
  body: (send: RpcClient, errors: unknown[], store: TaskStore) => Promise<void>,
  token = "alice",
): Promise<void> {
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend);
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const { fetch, extension } = makeServer(store, { owner, onError });
  try {
    await body(new RpcClient(fetch, { owner: token }), errors, store);
  } finally {
    await extension.drain({ timeoutMs: 0 });
  }
}

/** The error of every way into the extension. */
async function errorsOf(client: RpcClient): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const method of METHODS) {
    const params = method === "tools/call"
      ? { name: "failing_job", arguments: {} }
      : { taskId: "t", inputResponses: {} };
    all.push(await client.error(method, params));
  }
  const { response } = await client.listen({ taskIds: ["t"] });
  all.push((await response.json()).error);
  return all;
}

Deno.test("owner may be async, at every way into the extension (E8)", async () => {
  const owner: TasksExtensionOptions["owner"] = async (ctx) => {
    await Promise.resolve();
    return ownerOf(ctx.http?.authInfo);
  };
  await withOwner(owner, async (client, errors, store) => {
    const id = await client.start("confirm_delete", { filename: "f" });
    assertEquals((await store.get(id, "alice")).ownerId, "alice");
    await client.until(id, "input_required");
    const listening = await client.listen({ taskIds: [id] });
    await listening.task(id, "input_required");
    await client.update(id, { confirm: { action: "decline" } });
    await listening.task(id, "completed");
    await listening.leave();
    const other = await client.start("slow_compute", {
      seconds: 60,
      label: "x",
    });
    await client.cancel(other);
    assertEquals(errors, []);
  });
});

Deno.test("two users of one client see nothing of each other (E7)", async () => {
  await using backend = new MemoryBackend();
  const { fetch, extension } = makeServer(new TaskStore(backend), {
    owner: (ctx) => ownerOf(ctx.http?.authInfo),
  });
  const alice = new RpcClient(fetch, { owner: "alice" });
  const bob = new RpcClient(fetch, { owner: "bob" });
  const taskId = await alice.start("confirm_delete", { filename: "f" });
  await alice.until(taskId, "input_required");
  for (const method of METHODS.slice(0, 3)) {
    const params = { taskId, inputResponses: { confirm: {} } };
    assertEquals((await bob.error(method, params)).code, -32602, method);
  }
  const listening = await bob.listen({ taskIds: [taskId] });
  assertEquals((await listening.next())?.params.notifications.taskIds, []);
  await listening.leave();
  assertEquals((await alice.get(taskId)).status, "input_required");
  await extension.drain({ timeoutMs: 0 });
});

Deno.test("what owner throws is for onError, unless it is made for clients (E8)", async () => {
  const secret = new Error("the directory at 10.0.0.7 knows no alice");
  const shown = {
    code: -32603,
    message: "the owner of the call could not be determined",
  };
  const broken: TasksExtensionOptions["owner"][] = [
    () => {
      throw secret;
    },
    () => Promise.reject(secret),
    () => ({ owner: "alice" }) as never,
    () => undefined as never,
    () => "secret-owner\ud800",
    (ctx) => ownerOf({ ...ctx.http!.authInfo!, extra: {} }),
  ];
  for (const owner of broken) {
    await withOwner(owner, async (client, errors) => {
      for (const error of await errorsOf(client)) assertEquals(error, shown);
      assertEquals(errors.length, METHODS.length + 1);
      for (const error of errors) assert((error as Error).cause);
    });
  }
  const meant: TasksExtensionOptions["owner"] = () => {
    throw new TaskCancelledError("none");
  };
  await withOwner(meant, async (client, errors) => {
    for (const error of await errorsOf(client)) {
      assertEquals(error, { code: -32602, message: "task none was cancelled" });
    }
    assertEquals(errors, []);
  });
});

Deno.test("an owner whose name ends in another's task id hears nothing of its tasks", async () => {
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend);
  const { fetch, extension } = makeServer(store, {
    owner: (ctx) => ctx.http!.authInfo!.token.replace("+", "\n"),
  });
  const victim = new RpcClient(fetch, { owner: "a+b" });
  const { task } = await store.create("a\nb", "tools/call");
  const heard = await victim.listen({ taskIds: [task.taskId] });
  await heard.task(task.taskId, "working");
  // Owner "a" asks for a task that would make the same text with its name.
  const other = await new RpcClient(fetch, { owner: "a" })
    .listen({ taskIds: [`b\n${task.taskId}`] });
  assertEquals((await other.next())?.params.notifications.taskIds, []);
  await other.leave();
  await heard.leave();
  await extension.drain({ timeoutMs: 0 });
});

Deno.test("an anonymous owner is refused, and the operator is told", async () => {
  await withOwner(() => "", async (client, errors) => {
    for (const error of await errorsOf(client)) {
      assertEquals((error as { code: number }).code, -32602);
    }
    assertEquals(errors.length, METHODS.length + 1);
  });
});
