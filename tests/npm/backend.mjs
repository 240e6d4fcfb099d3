/**
 * Every operation of the storage contract on Node, with the installed package:
 * on the Redis at REDIS_URL and in memory. `scripts/lib/npm_tests.ts` runs it.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import process from "node:process";
import { after, describe, test } from "node:test";
import {
  CapacityExceededError,
  FencedError,
  InvalidCursorError,
  InvalidDataError,
  InvalidKeyError,
  LeaseConflictError,
  makeKey,
  makePrefix,
  MemoryBackend,
  NotFoundError,
  parseKey,
  RedisBackend,
  StorageError,
  VersionConflictError,
} from "mcp-tasks-redis";
import { createClient } from "redis";

const url = process.env.REDIS_URL;
const prefix = `test-${randomUUID()}`;
/** A record without the name of its last write, which must have one. */
const plain = ({ etag, ...record }) => {
  assert.match(etag, /^[A-Za-z0-9_-]{8,64}$/);
  return record;
};
const inAMinute = () => ({ expiresAt: Date.now() + 60_000 });

test("keys go together and come apart again", () => {
  const key = makeKey("urn:bob", "t:1");
  assert.equal(key, "urn%3Abob:t:1");
  assert.deepEqual(parseKey(key), { owner: "urn:bob", task: "t:1" });
  assert.throws(() => makeKey("", "t-1"), InvalidKeyError);
});

test("fifty watches at once draw no warning from Node", async () => {
  const warnings = [];
  const listen = (warning) => warnings.push(warning.message);
  process.on("warning", listen);
  const backend = await RedisBackend.connect(url, { prefix });
  try {
    const key = makeKey("alice", randomUUID());
    await backend.put(key, "x", inAMinute());
    let seen = 0;
    const watches = Array.from({ length: 50 }, async () => {
      for await (const _ of backend.watch(key)) {
        if (++seen === 50) await backend.delete(key);
      }
    });
    await Promise.all(watches);
  } finally {
    await backend.close();
    process.off("warning", listen);
  }
  assert.deepEqual(warnings, []);
});

contract("memory", () => Promise.resolve(new MemoryBackend()));
contract("redis", () => RedisBackend.connect(url, { prefix }));

function contract(name, open) {
  describe(name, () => {
    const opened = [];
    after(() => Promise.all(opened.map((backend) => backend.close())));

    /** A test with a backend and an owner of its own. */
    const check = (what, body) =>
      test(`${name}: ${what}`, async () => {
        // A backend's own timers never keep the process alive: this one does.
        const alive = setInterval(() => {}, 1000);
        try {
          const backend = await open();
          opened.push(backend);
          await body(backend, randomUUID());
        } finally {
          clearInterval(alive);
        }
      });

    check("get, put and delete", async (backend, owner) => {
      const key = makeKey(owner, "t-1");
      await assert.rejects(backend.get(key), NotFoundError);
      assert.equal(await backend.put(key, "one", inAMinute()), 1);
      assert.equal(await backend.put(key, "two ✓", inAMinute()), 2);
      const read = await backend.get(key);
      assert.deepEqual(plain(read), { data: "two ✓", version: 2 });
      assert.equal(await backend.delete(key), true);
      assert.equal(await backend.delete(key), false);
      await assert.rejects(backend.get(key), NotFoundError);
    });

    check(
      "putIfVersion swaps at the version expected",
      async (backend, owner) => {
        const key = makeKey(owner, "t-1");
        await backend.put(key, "one", inAMinute());
        assert.equal(await backend.putIfVersion(key, "two", 1, inAMinute()), 2);
        await assert.rejects(
          backend.putIfVersion(key, "three", 1, inAMinute()),
          (error) =>
            error instanceof VersionConflictError &&
            error instanceof StorageError &&
            error.code === "version_conflict" &&
            error.expected === 1 && error.actual === 2,
        );
        assert.equal((await backend.get(key)).data, "two");
      },
    );

    check("putIfVersion swaps over the very record", async (backend, owner) => {
      const key = makeKey(owner, "t-1");
      await backend.put(key, "one", inAMinute());
      const read = await backend.get(key);
      await backend.delete(key);
      await backend.put(key, "another life", inAMinute());
      await assert.rejects(
        backend.putIfVersion(key, "two", read, inAMinute()),
        VersionConflictError,
      );
      const again = await backend.get(key);
      assert.equal(
        await backend.putIfVersion(key, "two", again, inAMinute()),
        2,
      );
    });

    check("putIfVersion has one winner of 16", async (backend, owner) => {
      const key = makeKey(owner, "t-1");
      await backend.put(key, "start", inAMinute());
      const tries = await Promise.allSettled(
        Array.from(
          { length: 16 },
          (_, n) => backend.putIfVersion(key, `by ${n}`, 1, inAMinute()),
        ),
      );
      const winners = tries.filter(({ status }) => status === "fulfilled");
      assert.equal(winners.length, 1);
    });

    check(
      "create refuses a second one and keeps the quota",
      async (backend, owner) => {
        const create = (task) =>
          backend.create(makeKey(owner, task), "x", {
            meta: inAMinute(),
            maxRecords: 2,
          });
        assert.equal(await create("t-1"), 1);
        await assert.rejects(
          create("t-1"),
          (error) =>
            error instanceof VersionConflictError && error.expected === 0,
        );
        assert.equal(await create("t-2"), 1);
        await assert.rejects(create("t-3"), CapacityExceededError);
      },
    );

    check(
      "listByPrefix is oldest first, and only the owner's",
      async (backend, owner) => {
        const createdAt = Date.now();
        for (const [n, who] of [[2, owner], [1, owner], [3, `${owner}:x`]]) {
          const meta = { ...inAMinute(), createdAt: createdAt + n };
          await backend.put(makeKey(who, `t-${n}`), `data ${n}`, meta);
        }
        const listed = await backend.listByPrefix(makePrefix(owner));
        assert.deepEqual(listed.map(plain), [
          { key: makeKey(owner, "t-1"), data: "data 1", version: 1 },
          { key: makeKey(owner, "t-2"), data: "data 2", version: 1 },
        ]);
      },
    );

    check("listPage goes through all, newest first", async (backend, owner) => {
      const createdAt = Date.now();
      for (let n = 0; n < 5; n++) {
        const meta = { ...inAMinute(), createdAt: createdAt + n };
        await backend.put(makeKey(owner, `t-${n}`), "x", meta);
      }
      const seen = [];
      let cursor;
      do {
        const page = await backend.listPage(makePrefix(owner), {
          limit: 2,
          ...(cursor && { cursor }),
        });
        seen.push(...page.records.map(({ key }) => parseKey(key).task));
        cursor = page.nextCursor;
      } while (cursor);
      assert.deepEqual(seen, ["t-4", "t-3", "t-2", "t-1", "t-0"]);
      await assert.rejects(
        backend.listPage(makePrefix(owner), { cursor: "no cursor" }),
        InvalidCursorError,
      );
    });

    check("cleanupExpired and expiry", async (backend, owner) => {
      const key = makeKey(owner, "t-1");
      await backend.put(key, "x", inAMinute());
      const soon = () => ({ expiresAt: Date.now() + 30 });
      const seen = [];
      for await (const { data } of backend.watch(key)) {
        seen.push(data);
        // Only now, that no slow start of the watch comes after the end.
        if (data === "x") await backend.put(key, "y", soon());
      }
      // A watch that looks after the end has missed the last version.
      assert.ok(["x", "x,y"].includes(seen.join()), seen.join());
      await assert.rejects(backend.get(key), NotFoundError);
      const removed = await backend.cleanupExpired();
      assert.ok(removed >= 0);
      if (name === "redis") assert.equal(removed, 0);
    });

    check("a lease is held by one and ends", async (backend, owner) => {
      const key = makeKey(owner, "t-1");
      await backend.put(key, "x", inAMinute());
      const lease = { holder: "worker-1", forMs: 60_000 };
      const { fence } = await backend.leases.acquire(key, lease);
      await assert.rejects(
        backend.leases.acquire(key, { holder: "worker-2", forMs: 1 }),
        (error) =>
          error instanceof LeaseConflictError && error.holder === "worker-1",
      );
      assert.equal((await backend.get(key)).lease.fence, fence);
      assert.equal(await backend.leases.release(key, fence), true);
      await assert.rejects(
        backend.putIfVersion(key, "y", 1, { ...inAMinute(), fence }),
        FencedError,
      );
    });

    check(
      "watch sees another instance's write and ends on delete",
      async (backend, owner) => {
        const other = name === "redis" ? await open() : backend;
        opened.push(other);
        const key = makeKey(owner, "t-1");
        await backend.put(key, "one", inAMinute());
        const seen = [];
        for await (const { data, version } of backend.watch(key)) {
          seen.push(`${version} ${data}`);
          if (version === 1) await other.put(key, "two", inAMinute());
          if (version === 2) await other.delete(key);
        }
        assert.deepEqual(seen, ["1 one", "2 two"]);
      },
    );

    check("bad input is refused", async (backend, owner) => {
      await assert.rejects(backend.get("no colon"), InvalidKeyError);
      await assert.rejects(
        backend.put(makeKey(owner, "t"), "\ud800"),
        InvalidDataError,
      );
      await assert.rejects(
        backend.putIfVersion(makeKey(owner, "t"), "x", 0.5),
        RangeError,
      );
    });

    check("close ends it", async (backend, owner) => {
      await backend.close();
      await assert.rejects(
        backend.get(makeKey(owner, "t-1")),
        (error) => error instanceof StorageError && error.code === "backend",
      );
    });
  });
}

test("redis: a borrowed client stays open, withPrefix shares it", async () => {
  const client = await createClient({ url }).connect();
  try {
    const backend = new RedisBackend(client, { prefix });
    const other = backend.withPrefix(`${prefix}-other`);
    const key = makeKey(randomUUID(), "t-1");
    await backend.put(key, "x", inAMinute());
    await assert.rejects(other.get(key), NotFoundError);
    await backend.close();
    assert.equal(await client.ping(), "PONG");
  } finally {
    await client.close();
  }
});

test("redis: no key is left without a TTL", async () => {
  const client = await createClient({ url }).connect();
  try {
    let keys = 0;
    for await (const batch of client.scanIterator({ MATCH: `${prefix}*` })) {
      for (const key of batch) {
        keys++;
        assert.notEqual(await client.pTTL(key), -1, key);
      }
    }
    assert.notEqual(keys, 0);
  } finally {
    await client.close();
  }
});
