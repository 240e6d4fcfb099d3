/** Changes of one task take turns, and wait for those of no other. */

import { makeKey, MemoryBackend, TaskStore } from "../../mod.ts";
import { deadline } from "../support/wait.ts";

/** A storage whose reads of one key wait. */
class StuckBackend extends MemoryBackend {
  stuck: string | undefined;
  readonly gate = Promise.withResolvers<void>();

  override async get(key: string) {
    if (key === this.stuck) await this.gate.promise;
    return await super.get(key);
  }
}

Deno.test("a change waits for none of an owner whose name ends in the task's id", async () => {
  await using backend = new StuckBackend();
  const store = new TaskStore(backend);
  await store.create("acme\nalice", "tools/call", { taskId: "T" });
  await store.create("acme", "tools/call", { taskId: "alice\nT" });
  backend.stuck = makeKey("acme\nalice", "T");
  const change = { statusMessage: "changed" };
  const waiting = store.update("T", "acme\nalice", change);
  try {
    await deadline(
      "the change",
      store.update("alice\nT", "acme", change),
      2000,
    );
  } finally {
    backend.gate.resolve();
    await waiting;
  }
});
