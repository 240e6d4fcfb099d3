/** The very first calls of a process, for the test that checks their order. */

import { makeKey, RedisBackend } from "../../mod.ts";

/** The scope of a worker, of which the checker knows only a window's. */
const scope = self as unknown as {
  onmessage: (event: { data: { url: string; prefix: string } }) => unknown;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data: { url, prefix } }) => {
  await using backend = await RedisBackend.connect(url, { prefix });
  const key = makeKey("alice", "t-1");
  const meta = { expiresAt: Date.now() + 60_000 };
  await Promise.all([
    ...[0, 1, 2, 3, 4].map((n) =>
      backend.queues.push(key, `${n}`, { ttlMs: 60_000 })
    ),
    backend.put(key, "first", meta),
    backend.put(key, "second", meta),
  ]);
  const messages = await backend.queues.drain(key);
  const { data: stored } = await backend.get(key);
  await backend.delete(key);
  scope.postMessage({ messages, stored });
};
