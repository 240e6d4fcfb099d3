/**
 * Messages of errors stay one line of moderate length, whatever a client sends
 * as an id, a cursor or a message.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  AnonymousOwnerError,
  ConcurrentModificationError,
  InvalidTransitionError,
  LeaseHeldError,
  LeaseLostError,
  MemoryBackend,
  TaskCancelledError,
  TaskCursorError,
  TaskExistsError,
  TaskExpiredError,
  TaskLimitError,
  TaskNotFoundError,
  TaskNotReadyError,
  TaskStore,
  TaskTimeoutError,
} from "../../mod.ts";

/** Every error that echoes a text it was given. */
const ECHOES: readonly ((text: string) => Error)[] = [
  (text) => new TaskNotFoundError(text),
  (text) => new TaskExpiredError(text, "2026-01-01T00:00:00.000Z"),
  (text) => new TaskExistsError(text),
  (text) => new InvalidTransitionError(text, "working", "working"),
  (text) => new InvalidTransitionError(text, "failed", "working"),
  (text) => new InvalidTransitionError("t", "failed", text as "working"),
  (text) => new TaskCancelledError(text),
  (text) => new TaskCancelledError("t", text),
  (text) => new TaskNotReadyError(text, "working"),
  (text) => new TaskTimeoutError(text, 10, "working"),
  (text) => new TaskTimeoutError(text, 10, undefined),
  (text) => new AnonymousOwnerError(text),
  (text) => new TaskCursorError(text),
  (text) => new ConcurrentModificationError(text, 3),
  (text) => new LeaseLostError(text, "working", { holder: "w" }),
  (text) => new LeaseLostError("t", "working", { holder: text }),
  (text) => new LeaseHeldError(text, undefined),
  (text) => new LeaseHeldError(text, "w"),
  (text) => new LeaseHeldError("t", text),
];

const UNUSUAL = [
  "x".repeat(900_000),
  "👋".repeat(100_000),
  "a\nb\r\u0000\u001b[2J",
  "a\u0085b\u2028c\u2029d\u009be",
  "a\u202eb\u2066c",
  'a" is failed: "b',
  "half a pair \ud83d",
  "",
];

Deno.test("errors echo what they are given on one line of moderate length", () => {
  for (const [n, echo] of ECHOES.entries()) {
    for (const text of UNUSUAL) {
      const { message } = echo(text);
      const what = `${n}: ${message.slice(0, 300)}`;
      assert(message.length < 400, what);
      // deno-lint-ignore no-control-regex
      const controls = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
      assert(!controls.test(message), JSON.stringify(what));
      assert(message.isWellFormed(), JSON.stringify(what));
    }
    const escapes = echo("\n".repeat(900_000)).message;
    assert(escapes.length < 600, `${n}: ${escapes.length}`);
  }
});

Deno.test("errors quote what could be read as their own words", () => {
  for (const [n, echo] of ECHOES.entries()) {
    const { message } = echo('a" is failed: "b');
    assert(message.includes('"a\\" is failed: \\"b"'), `${n}: ${message}`);
  }
});

Deno.test("errors show a usual id as it is, and keep any whole as a field", () => {
  const id = crypto.randomUUID();
  for (const [n, echo] of ECHOES.entries()) {
    assert(echo(id).message.includes(id), `${n}`);
  }
  assertEquals(
    new TaskTimeoutError("t-1", 10, "working").message,
    "task t-1 is still working after 10 ms",
  );
  const long = "x".repeat(1000);
  assertEquals(new TaskNotFoundError(long).taskId, long);
  assertEquals(new TaskTimeoutError(long, 10, undefined).taskId, long);
});

Deno.test("a store's refusals stay lines, too", async () => {
  await using store = new TaskStore(new MemoryBackend());
  const long = "x".repeat(60_000);
  const { task } = await store.create("alice", "tools/call", { taskId: long });
  let deep: unknown = 1;
  for (let n = 0; n < 11; n++) deep = [deep];
  const calls: readonly [() => Promise<unknown>, typeof Error][] = [
    [() => store.get(long + "y", "alice"), TaskNotFoundError as never],
    [() => store.getResult(long, "alice"), TaskNotReadyError as never],
    [
      () => store.waitFor(task.taskId, "alice", { final: true, timeoutMs: 1 }),
      TaskTimeoutError as never,
    ],
    [
      () => store.setVariables(long, "alice", { [long]: deep }),
      TaskLimitError as never,
    ],
  ];
  for (const [call, kind] of calls) {
    const error = await call().then(() => undefined, (error) => error);
    assert(error instanceof kind, String(error));
    assert(error.message.length < 300, String(error.message.length));
  }
});
