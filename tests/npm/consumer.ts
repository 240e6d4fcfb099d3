/**
 * A TypeScript program on Node that uses the package by its declarations.
 * `package.mjs` compiles and runs it.
 */

import { randomUUID } from "node:crypto";
import process from "node:process";
import {
  makeKey,
  makePrefix,
  MemoryBackend,
  RedisBackend,
  type StorageBackend,
  VersionConflictError,
  type VersionedRecord,
} from "mcp-tasks-redis";
import { createClient, createClientPool } from "redis";

const url = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379";
const prefix = `test-${randomUUID()}`;

/** The same program on every backend: that is what the contract is for. */
async function swap(backend: StorageBackend): Promise<VersionedRecord> {
  const key = makeKey("alice", randomUUID());
  const meta = { expiresAt: Date.now() + 60_000 };
  const version: number = await backend.create(key, "queued", {
    meta,
    maxRecords: 100,
  });
  await backend.putIfVersion(key, "running", version, meta);
  try {
    await backend.putIfVersion(key, "too late", version, meta);
  } catch (error) {
    if (!(error instanceof VersionConflictError)) throw error;
    const actual: number = error.actual;
    if (actual !== 2) throw new Error(`at version ${actual}`);
  }
  const page = await backend.listPage(makePrefix("alice"), { limit: 1 });
  if (page.records[0]?.key !== key) throw new Error("not on the first page");
  for await (const record of backend.watch(key)) return record;
  throw new Error("the watch ended");
}

async function check(backend: StorageBackend): Promise<void> {
  const { data, version } = await swap(backend);
  if (data !== "running" || version !== 2) throw new Error(data);
  await backend.close();
}

await check(new MemoryBackend());
await check(await RedisBackend.connect(url, { prefix }));

// The types of node-redis' clients fit the borrowing constructor.
const client = createClient({ url });
await client.connect();
await check(new RedisBackend(client, { prefix }));
await client.close();

const pool = createClientPool({ url });
await pool.connect();
await check(new RedisBackend(pool, { prefix }));
await pool.close();
