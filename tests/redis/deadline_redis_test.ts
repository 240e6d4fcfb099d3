/**
 * Bytes that arrive after the time of their operation is over: the server
 * executes none of them, by its own clock.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { BackendError, RedisBackend } from "../../mod.ts";
import { DEBUGGABLE, serverTest, snapshot } from "../support/own_server.ts";
import { isScript, sendRaw, TcpProxy } from "../support/proxy.ts";
import { HOUR, KEY, nthKey } from "../support/suite/env.ts";
import { waitUntil } from "../support/wait.ts";

const META = { ...HOUR, createdAt: 1_700_000_000_000 };
const LEASE = { holder: "worker-1", forMs: 3_600_000 };
const TIMEOUT_MS = 300;

/** Every write that would be executed over what the test has stored. */
const WRITES: Record<
  string,
  (backend: RedisBackend, fence: number) => Promise<unknown>
> = {
  put: (backend) => backend.put(KEY, "late", META),
  "put of a new record": (backend) => backend.put(nthKey(9), "late", META),
  create: (backend) => backend.create(nthKey(9), "late", { meta: META }),
  putIfVersion: (backend) => backend.putIfVersion(KEY, "late", 1, META),
  "putIfVersion by etag": async (backend) => {
    const read = await backend.get(KEY);
    await backend.putIfVersion(KEY, "late", { ...read, meta: META }, META);
  },
  delete: (backend) => backend.delete(KEY),
  acquire: (backend) => backend.leases.acquire(KEY, LEASE),
  renew: (backend, fence) => backend.leases.renew(nthKey(2), fence, 7_200_000),
  release: (backend, fence) => backend.leases.release(nthKey(2), fence),
  "step record": (backend, fence) =>
    backend.steps.record(nthKey(2), fence, "step", "late"),
  push: (backend) => backend.queues.push(KEY, "late"),
  shift: (backend) => backend.queues.shift(nthKey(2)),
  drain: (backend) => backend.queues.drain(nthKey(2)),
};

for (const [name, write] of Object.entries(WRITES)) {
  serverTest(
    `${name.replaceAll(" ", "_")}_is_not_executed_after_its_time`,
    async (server, raw) => {
      await using proxy = new TcpProxy(server.url);
      await using direct = await RedisBackend.connect(server.url);
      await using cut = await RedisBackend.connect(proxy.url, {
        retry: { timeoutMs: TIMEOUT_MS },
      });
      await direct.put(KEY, "first", META);
      const { fence } = await direct.leases.create(nthKey(2), "x", LEASE, {
        meta: META,
      });
      await direct.queues.push(nthKey(2), "message");
      // It asks for the server's time after its first write, on the same way.
      await cut.put(nthKey(3), "x", META);
      await cut.get(nthKey(3));
      let late = "";
      proxy.fault = (request) => {
        if (!isScript(request)) return undefined;
        late = late || request;
        return { cut: "before request" };
      };
      await assertRejects(() => write(cut, fence), BackendError);
      const endMs = Date.now() + TIMEOUT_MS;
      assert(late !== "", "nothing was sent");
      await waitUntil("the end of its time", () => Date.now() > endMs);
      const before = await snapshot(raw);
      await sendRaw(server.url, late);
      assertEquals(await snapshot(raw), before);
    },
    { args: DEBUGGABLE },
  );
}
