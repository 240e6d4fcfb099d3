/**
 * Users who may not do all: the least that is enough, and what becomes of a
 * write that is stopped half-way.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  RedisBackend,
  type StorageBackend,
  VersionConflictError,
} from "../../mod.ts";
import type { RedisServer } from "../../scripts/lib/redis_server.ts";
import { allPages, HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";
import { callsOf } from "../support/suite/calls.ts";
import { everyOperation } from "../support/every_operation.ts";
import { assertIndexesMatch, serverTest } from "../support/own_server.ts";
import type { RawClient } from "../support/redis_fixture.ts";

/** The least a user needs, as README says. */
function minimalAcl(): string[] {
  const readme = Deno.readTextFileSync(
    new URL("../../README.md", import.meta.url),
  );
  const rules = /^ *(~mcp:\*[^`]*)/m.exec(readme)?.[1];
  if (rules === undefined) throw new Error("README names no ACL");
  return rules.trim().split(/\s+/);
}

serverTest("minimal_acl_serves_every_operation", async (server, raw) => {
  const url = await addUser(server, raw, minimalAcl());
  await using backend = await RedisBackend.connect(url);
  await everyOperation(backend);
  for (const n of [1, 2, 3]) await backend.put(nthKey(n), "x");
  await backend.put(nthKey(1), "x", HOUR);
  await backend.put(nthKey(2), "x", { expiresAt: 1 });
  await raw.del("mcp:tasks:{alice}:t-0003");
  assertEquals((await allPages(backend, PREFIX, { limit: 1 })).flat(), [
    nthKey(1),
  ]);
});

serverTest("forbidden_keys_are_a_backend_error", async (server, raw) => {
  const url = await addUser(server, raw, minimalAcl());
  await using backend = await RedisBackend.connect(url, { prefix: "other" });
  await refusedEverywhere(backend, "NOPERM");
  assertEquals(await raw.keys("*"), []);
});

for (
  const missing of [
    "+spublish",
    "&mcp:*",
    "+hset",
    "+zadd",
    "+pexpireat",
    "+persist",
    "+del",
    "+zrem",
    "+zrange",
    "+zcard",
    "+hdel",
    "+set",
    "+pexpiretime",
    "+zscore",
  ]
) {
  serverTest(
    `user_without_${missing}_leaves_nothing_half_written`,
    async (server, raw) => {
      const rules = minimalAcl().filter((rule) => rule !== missing);
      await using backend = await RedisBackend.connect(
        await addUser(server, raw, rules),
      );
      await using admin = await RedisBackend.connect(server.url);
      await admin.put(nthKey(1), "1", HOUR);
      await admin.put(nthKey(2), "1");
      const calls = [
        () => backend.put(nthKey(1), "2"),
        () => backend.put(nthKey(2), "2", HOUR),
        () => backend.put(nthKey(3), "2", HOUR),
        () => backend.put(nthKey(4), "2"),
        () => backend.put(nthKey(1), "2", { expiresAt: 1 }),
        () => backend.putIfVersion(nthKey(1), "2", 1, { expiresAt: 1 }),
        () => backend.create(nthKey(5), "2", { meta: HOUR, maxRecords: 50 }),
        () => backend.delete(nthKey(2)),
      ];
      for (const call of calls) {
        await call().catch((error) => {
          if (error instanceof VersionConflictError) return;
          if (!(error instanceof BackendError)) throw error;
          // Within a script Redis 7.0 says it in other words than later ones.
          assert(
            /NOPERM|can't (run|publish|access)|ACL failure/.test(error.message),
            error.message,
          );
        });
        await assertIndexesMatch(raw, `${call}`);
      }
    },
  );
}

serverTest(
  "writes_sent_together_are_all_refused_before_they_write",
  async (server, raw) => {
    for (const missing of ["+hset", "+pexpireat", "+zadd", "+spublish"]) {
      const rules = minimalAcl().filter((rule) => rule !== missing);
      await using backend = await RedisBackend.connect(
        await addUser(server, raw, rules),
      );
      const meta = { ...HOUR, createdAt: 1_700_000_000_000 };
      const tried = await Promise.allSettled(
        [1, 2, 3].map((n) => backend.create(nthKey(n), "x", { meta })),
      );
      assert(tried.every(({ status }) => status === "rejected"), missing);
      assertEquals(await raw.keys("*"), [], missing);
    }
  },
);

/** A user with just these rules, and how to log in as it. */
async function addUser(
  server: RedisServer,
  raw: RawClient,
  rules: string[],
): Promise<string> {
  await raw.sendCommand([
    "ACL",
    "SETUSER",
    "tasks",
    "reset",
    "on",
    ">pw",
    ...rules,
  ]);
  return `redis://tasks:pw@127.0.0.1:${server.port}`;
}

async function refusedEverywhere(
  backend: StorageBackend,
  why: string,
): Promise<void> {
  const lists = [
    () => backend.listByPrefix(PREFIX),
    () => backend.listPage(PREFIX),
  ];
  for (const call of [...callsOf(backend, KEY), ...lists]) {
    const error = await assertRejects(call, BackendError, why);
    assertEquals(error.outcome, "not_applied");
    assert(error.cause instanceof Error);
  }
}
