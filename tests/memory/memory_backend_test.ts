/**
 * The contract on `MemoryBackend`, and what only it promises.
 *
 * @module
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  makeKey,
  makePrefix,
  MemoryBackend,
  NotFoundError,
} from "../../mod.ts";
import { backendSuite } from "../support/suite/backend_suite.ts";

backendSuite({
  name: "memory",
  expiresByItself: false,
  async use(body, { instances = 1, maxRecordBytes } = {}) {
    await using backend = new MemoryBackend(
      maxRecordBytes === undefined ? {} : { maxRecordBytes },
    );
    await body(Array.from({ length: instances }, () => backend));
  },
});

Deno.test("memory_cleanup_expired_counts_what_it_removed", async () => {
  let now = 1_000_000;
  await using backend = new MemoryBackend({ clock: () => now });
  for (let n = 0; n < 300; n++) {
    const key = makeKey(`owner ${n % 100}`, `t-${n}`);
    await backend.put(key, "x", { expiresAt: now + 1000 + n });
  }
  now += 1000 + 99;
  assertEquals(await backend.cleanupExpired(), 100);
  assertEquals(await backend.cleanupExpired(), 0);
  now += 1000;
  assertEquals(await backend.cleanupExpired(), 200);
});

Deno.test("memory_record_ends_at_its_very_millisecond", async () => {
  let now = 1_000_000;
  await using backend = new MemoryBackend({ clock: () => now });
  const key = makeKey("alice", "t-1");
  await backend.put(key, "x", { expiresAt: now + 300 });
  now += 299;
  assertEquals((await backend.get(key)).version, 1);
  now += 1;
  await assertRejects(() => backend.get(key), NotFoundError);
  assertEquals(await backend.listByPrefix(makePrefix("alice")), []);
  assertEquals(await backend.put(key, "x"), 1);
});

Deno.test("memory_options_are_checked", () => {
  for (const maxRecordBytes of [0, -1, 0.5, NaN, Infinity]) {
    assertThrows(() =>
      new MemoryBackend(
        maxRecordBytes === undefined ? {} : { maxRecordBytes },
      ), RangeError);
  }
});
