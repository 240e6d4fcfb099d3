/** What the feeds of tasks keep, and for how long. */

import { assertEquals } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { MemoryBackend, type TaskRecord, TaskStore } from "../../../mod.ts";
import {
  type FeedListener,
  TaskFeeds,
  type TaskNote,
} from "../../../src/mcp/v2026_07_28/task_feeds.ts";
import { waitUntil } from "../../support/wait.ts";

const OWNER = "alice";

/** A store that knows which of the records it has handed out are kept. */
class CountingStore extends TaskStore {
  readonly #handedOut: WeakRef<TaskRecord>[] = [];

  override async *watch(...args: Parameters<TaskStore["watch"]>) {
    for await (const record of super.watch(...args)) {
      yield this.#counted(record);
    }
  }

  override async get(...args: Parameters<TaskStore["get"]>) {
    return this.#counted(await super.get(...args));
  }

  /** How many are still there once all that can be was collected. */
  get kept(): number {
    setFlagsFromString("--expose_gc");
    runInNewContext("gc")();
    return this.#handedOut.filter((ref) => ref.deref() !== undefined).length;
  }

  #counted(record: TaskRecord): TaskRecord {
    const own = structuredClone(record);
    this.#handedOut.push(new WeakRef(own));
    return own;
  }
}

/** A listener of a feed that does not fail. */
function noting(note: (note: TaskNote) => void): FeedListener {
  return { note, fail: () => {} };
}

Deno.test("an ended task is kept until its last listener has taken it", async () => {
  await using backend = new MemoryBackend();
  const store = new CountingStore(backend);
  const { task: { taskId } } = await store.create(OWNER, "tools/call");
  await store.cancel(taskId, OWNER);
  const feeds = new TaskFeeds({ store, onError: () => {} });
  const notes: TaskNote[] = [];
  const leave = [1, 2, 3].map(() =>
    feeds.join(taskId, OWNER, noting((note) => notes.push(note)))
  );
  await waitUntil("all are told", () => notes.length === 3);
  notes[0]!.take();
  notes[1]!.take();
  await waitUntil("the watch lets go", () => store.kept <= 1);
  assertEquals(store.kept, 1);
  // One leaves it unread.
  leave[2]!();
  await waitUntil("it is dropped", () => store.kept === 0);
  const late = feeds.join(taskId, OWNER, noting((note) => notes.push(note)));
  await waitUntil("who comes late is told", () => notes.length === 4);
  const json = new TextDecoder().decode(notes[3]!.take());
  assertEquals(JSON.parse(json + "}").status, "cancelled");
  await waitUntil("it is dropped again", () => store.kept === 0);
  for (const one of [...leave, late]) one();
  assertEquals(feeds.size, 0);
});

Deno.test("listeners that take the end of a task at once leave it to the others", async () => {
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend);
  const { task: { taskId } } = await store.create(OWNER, "tools/call");
  const errors: unknown[] = [];
  const feeds = new TaskFeeds({ store, onError: (e) => void errors.push(e) });
  const taken: number[] = [];
  const leave = [1, 2, 3].map((n) =>
    feeds.join(
      taskId,
      OWNER,
      noting((note) => {
        note.take();
        taken.push(n);
      }),
    )
  );
  await waitUntil("it is watched", () => feeds.has(taskId, OWNER));
  await store.cancel(taskId, OWNER);
  await waitUntil("it has ended", () => !feeds.has(taskId, OWNER));
  assertEquals([taken, errors], [[1, 2, 3, 1, 2, 3], []]);
  for (const one of leave) one();
});

Deno.test("a task that is no more is not taken for one that is there", async () => {
  await using backend = new MemoryBackend();
  const store = new TaskStore(backend);
  const { task: { taskId } } = await store.create(OWNER, "tools/call");
  const feeds = new TaskFeeds({ store, onError: () => {} });
  const leave = [feeds.join(taskId, OWNER, noting(() => {}))];
  await waitUntil("it is watched", () => feeds.has(taskId, OWNER));
  await store.delete(taskId, OWNER);
  await waitUntil("it is gone", () => !feeds.has(taskId, OWNER));
  let told = 0;
  for (let n = 0; n < 2; n++) {
    leave.push(feeds.join(taskId, OWNER, noting(() => told++)));
    assertEquals(feeds.has(taskId, OWNER), false);
  }
  assertEquals(told, 0);
  for (const one of leave) one();
});
