/**
 * Bytes of a first try that were held up on the way, and arrive after its retry
 * has been answered: nothing is executed that its caller was told is not.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type StorageBackend, VersionConflictError } from "../../mod.ts";
import { isScript, TcpProxy } from "../support/proxy.ts";
import { redisTest } from "../support/redis_fixture.ts";
import { ageTrace, midSpan } from "../support/span.ts";
import { HOUR, KEY, PREFIX } from "../support/suite/env.ts";

const META = { ...HOUR, createdAt: 1_700_000_000_000 };

/** What is refused over an old record, and would be applied over the next. */
const REFUSED: Record<string, (backend: StorageBackend) => Promise<unknown>> = {
  create: (backend) => backend.create(KEY, "late", { meta: META }),
  swap: (backend) => backend.putIfVersion(KEY, "late", 2, META),
  deletion: (backend) => backend.delete(KEY, { expected: { version: 2 } }),
};

for (const [name, write] of Object.entries(REFUSED)) {
  redisTest(
    `${name}_that_was_refused_is_not_executed_by_its_late_bytes`,
    async (redis) => {
      await using proxy = new TcpProxy(redis.url);
      const cut = await redis.connect({}, proxy.url);
      const direct = await redis.connect();
      const record = redis.record("alice", "t-1");
      await midSpan(redis.raw);
      // However long ago the record was written.
      for (const spans of [0, 1, 2, 5]) {
        for (const key of await redis.keys()) await redis.raw.del(key);
        await direct.put(KEY, "first", META);
        await ageTrace(redis.raw, record, spans);
        let heldUp = "";
        proxy.fault = (request) => {
          if (heldUp !== "" || !isScript(request)) return undefined;
          heldUp = request;
          return { cut: "before request" };
        };
        await assertRejects(() => write(cut), VersionConflictError);
        if (name === "create") await direct.delete(KEY);
        else assertEquals(await direct.put(KEY, "second", META), 2);
        const before = await direct.listByPrefix(PREFIX);
        await sendRaw(redis.url, heldUp);
        assertEquals(await direct.listByPrefix(PREFIX), before, `${spans}`);
      }
      await redis.close();
    },
  );
}

/** Sends bytes over a connection of their own, and waits for the answer. */
async function sendRaw(url: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  try {
    await connection.write(new TextEncoder().encode(bytes));
    assert(await connection.read(new Uint8Array(1000)) !== null);
  } finally {
    connection.close();
  }
}
