/**
 * One walk through the whole contract, for whatever kind of client or server.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import {
  makeKey,
  makePrefix,
  NotFoundError,
  type StorageBackend,
} from "../../mod.ts";
import { HOUR, plain } from "./suite/env.ts";
import { deadline } from "./wait.ts";

/** Every operation once, on whatever kind of client. */
export async function everyOperation(
  backend: StorageBackend,
  owner = "urn:bob",
): Promise<void> {
  const key = makeKey(owner, "t-1");
  const prefix = makePrefix(owner);
  assertEquals(
    await backend.create(key, "1", { meta: HOUR, maxRecords: 9 }),
    1,
  );
  assertEquals(await backend.put(key, "2", HOUR), 2);
  assertEquals(await backend.putIfVersion(key, "3", 2, HOUR), 3);
  assertEquals(plain(await backend.get(key)), { data: "3", version: 3 });
  const records = [{ key, data: "3", version: 3 }];
  assertEquals((await backend.listByPrefix(prefix)).map(plain), records);
  const page = await backend.listPage(prefix, { limit: 1 });
  assertEquals(page.records.map(plain), records);
  assertEquals(await backend.cleanupExpired(), 0);
  const seen: number[] = [];
  const watching = async () => {
    for await (const { version } of backend.watch(key)) {
      seen.push(version);
      if (version === 3) await backend.put(key, "4", HOUR);
      else await backend.delete(key);
    }
  };
  await deadline("the end of the watch", watching());
  assertEquals(seen, [3, 4]);
  await assertRejects(() => backend.get(key), NotFoundError);
}
