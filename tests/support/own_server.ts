/**
 * Tests on a server of their own, which they may break.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type RedisServer,
  type RedisServerOptions,
  startRedisServer,
} from "../../scripts/lib/redis_server.ts";
import { ownServerEnabled } from "./gate.ts";
import { openRaw, type RawClient } from "./redis_fixture.ts";

/** Registers a test with a server of its own. */
export function serverTest(
  name: string,
  body: (server: RedisServer, raw: RawClient) => Promise<void>,
  options: RedisServerOptions = {},
): void {
  Deno.test({
    name: `redis_${name}`,
    ignore: !ownServerEnabled,
    async fn() {
      await using server = await startRedisServer(options);
      const raw = await openRaw(server.url);
      try {
        await body(server, raw);
      } finally {
        raw.destroy();
      }
    },
  });
}

/** Fails if a hash of alice lacks an index entry it must have, or the reverse. */
export async function assertIndexesMatch(
  raw: RawClient,
  when: string,
): Promise<void> {
  const names = (await raw.keys("mcp:tasks:{alice}:*")).sort();
  const tasks = names.map((name) => name.slice("mcp:tasks:{alice}:".length));
  const created = await raw.zRange("mcp:idx:{alice}", 0, -1);
  assertEquals(created.toSorted(), tasks, when);
  const expiring: string[] = [];
  for (const [i, name] of names.entries()) {
    const hash = await raw.hGetAll(name);
    assert(hash.version !== undefined && hash.data !== undefined, when);
    const ttl = await raw.pTTL(name);
    assertEquals(ttl !== -1, hash.expires_at !== undefined, when);
    if (ttl !== -1) expiring.push(tasks[i]!);
  }
  const expiries = await raw.zRange("mcp:exp:{alice}", 0, -1);
  assertEquals(expiries.toSorted(), expiring, when);
}
