/**
 * A program that closes the client a backend has borrowed, and nothing else:
 * nothing of ours may keep it running. `closing_redis_test.ts` starts it.
 */

import { createClient } from "redis";
import { makeKey, RedisBackend, TaskStore } from "../../mod.ts";

const client = await createClient({ url: Deno.args[0]! }).connect();
const backend = new RedisBackend(client, {
  durability: { replicas: 1, timeoutMs: 10 },
});
const key = makeKey("alice", "t-1");
await backend.put(key, "x").catch(() => {});
const watch = backend.watch(key)[Symbol.asyncIterator]();
await watch.next();
watch.next().then(
  () => console.log("watch: ended"),
  (error) => console.log(`watch: ${error.name}: ${error.message}`),
);
const store = new TaskStore(new RedisBackend(client));
const { task } = await store.create("alice", "tools/call");
store.signalFor(task.taskId, "alice");
// Both are subscribed.
while (
  (await client.sendCommand(["PUBSUB", "SHARDCHANNELS"]) as string[]).length < 2
) await new Promise((resolve) => setTimeout(resolve, 10));
client.destroy();
console.log(`closed at ${Date.now()}`);
globalThis.addEventListener("unload", () => {
  console.log(`ended at ${Date.now()}`);
});
