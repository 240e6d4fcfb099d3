/**
 * Writes that wait for replicas: in groups, on connections of their own.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient } from "redis";
import {
  type RedisServer,
  startRedisServer,
} from "../../scripts/lib/redis_server.ts";
import { connectLink } from "../../src/redis/connect.ts";
import { DurableWriter } from "../../src/redis/executor/durability.ts";
import type { DurabilityOptions } from "../../src/redis/executor/retry.ts";
import { borrowLink } from "../../src/redis/link.ts";
import type { RedisLink } from "../../src/redis/link_types.ts";
import { isSurelyUnsent } from "../../src/redis/send_errors.ts";
import { ownServerEnabled } from "../support/gate.ts";
import { TcpProxy } from "../support/proxy.ts";
import {
  command,
  startCluster,
  startReplication,
} from "../support/topology.ts";
import { deadline, waitUntil } from "../support/wait.ts";

/** Registers a test that starts servers of its own. */
function durabilityTest(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: `redis_durability: ${name}`,
    ignore: !ownServerEnabled,
    fn,
  });
}

/** Runs a body with a writer, and closes what it has opened. */
async function withWriter(
  target: string,
  options: DurabilityOptions,
  body: (writer: DurableWriter, link: RedisLink) => Promise<void>,
): Promise<void> {
  const link = await connectLink(target, { onWarning: () => {} });
  const writer = new DurableWriter(link, options);
  try {
    await body(writer, link);
  } finally {
    writer.close();
    await link.close();
  }
}

/** Runs a body while a server does not run; its connections stay. */
async function whileFrozen(
  server: RedisServer,
  body: () => Promise<void>,
): Promise<void> {
  Deno.kill(server.pid, "SIGSTOP");
  try {
    await body();
  } finally {
    Deno.kill(server.pid, "SIGCONT");
  }
}

/** How often a server has executed a command. */
async function callsOf(server: RedisServer, name: string): Promise<number> {
  const stats = String(await command(server, ["INFO", "commandstats"]));
  return Number(
    new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0,
  );
}

durabilityTest(
  "many writes share a WAIT, and replicas confirm them",
  async () => {
    await using nodes = await startReplication();
    const { master } = nodes;
    await withWriter(
      master.url,
      { replicas: 1, timeoutMs: 5000 },
      async (writer) => {
        const answers = await Promise.all(
          Array.from({ length: 200 }, () => writer.send("n", ["INCR", "n"])),
        );
        assertEquals(
          answers,
          answers.map((_, i) => ({ answer: i + 1, confirmed: 1 })),
        );
        assertEquals(await command(nodes.replica, ["GET", "n"]), "200");
        const waits = await callsOf(master, "wait");
        assert(waits <= 3, `${waits} WAITs`);
      },
    );
  },
);

durabilityTest(
  "a frozen replica delays nothing else, and each write twice its time at most",
  async () => {
    await using nodes = await startReplication();
    const { master, replica } = nodes;
    await withWriter(
      master.url,
      { replicas: 1, timeoutMs: 500 },
      async (writer, link) => {
        await writer.send("n", ["INCR", "n"]);
        await whileFrozen(replica, async () => {
          const start = performance.now();
          const slowest = { write: 0, read: 0 };
          const writes = Array.from({ length: 64 }, async (_, i) => {
            // While the first WAIT is owed, most of them come.
            if (i > 8) await link.send("x", true, ["HMGET", "x", "f"]);
            const began = performance.now();
            const { confirmed } = await writer.send("n", ["INCR", "n"]);
            assertEquals(confirmed, 0);
            slowest.write = Math.max(slowest.write, performance.now() - began);
          });
          let done = false;
          const all = Promise.all(writes).then(() => done = true);
          while (!done) {
            const began = performance.now();
            await link.send("x", true, ["HMGET", "x", "f"]);
            slowest.read = Math.max(slowest.read, performance.now() - began);
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
          await all;
          const tookMs = performance.now() - start;
          console.log("ms:", { tookMs, ...slowest });
          assert(tookMs < 1500, `64 writes took ${tookMs} ms`);
          assert(slowest.read < 50, `a read took ${slowest.read} ms`);
          assertEquals(await command(master, ["GET", "n"]), "65");
        });
      },
    );
  },
);

durabilityTest(
  "a refused write says so at once, while others wait",
  async () => {
    await using nodes = await startReplication();
    const { master, replica } = nodes;
    await withWriter(
      master.url,
      { replicas: 1, timeoutMs: 2000 },
      async (writer) => {
        await writer.send("n", ["INCR", "n"]);
        await whileFrozen(replica, async () => {
          const start = performance.now();
          const good = writer.send("n", ["INCR", "n"]);
          await assertRejects(
            () => writer.send("n", ["EVALSHA", "0".repeat(40), "1", "n"]),
            Error,
            "NOSCRIPT",
          );
          assert(performance.now() - start < 1000);
          assertEquals(await good, { answer: 2, confirmed: 0 });
        });
      },
    );
  },
);

durabilityTest(
  "a user who may not WAIT is told that nothing is confirmed, and why",
  async () => {
    await using server = await startRedisServer();
    await command(server, [
      "ACL",
      "SETUSER",
      "u",
      "on",
      ">pw",
      "~*",
      "+@all",
      "-wait",
    ]);
    const url = `redis://u:pw@127.0.0.1:${server.port}`;
    await withWriter(url, { replicas: 1, timeoutMs: 100 }, async (writer) => {
      const { answer, confirmed, waitError } = await writer.send("n", [
        "INCR",
        "n",
      ]);
      assertEquals([answer, confirmed], [1, 0]);
      assert(
        waitError instanceof Error && waitError.message.startsWith("NOPERM"),
      );
    });
  },
);

durabilityTest(
  "opens its connection with the first write, and opens another after a loss",
  async () => {
    await using server = await startRedisServer();
    await using proxy = new TcpProxy(server.url);
    await withWriter(
      proxy.url,
      { replicas: 1, timeoutMs: 50 },
      async (writer, link) => {
        const clients = async () =>
          String(await command(server, ["CLIENT", "LIST"])).trim().split("\n")
            .length - 1;
        assertEquals(await clients(), 1);
        await writer.send("n", ["INCR", "n"]);
        assertEquals(await clients(), 2);
        proxy.mode = "down";
        proxy.cutAll();
        await waitUntil("the loss noticed", () => !link.isReady);
        await waitUntil(
          "a write that was surely not sent",
          async () =>
            isSurelyUnsent(
              await writer.send("n", ["INCR", "n"]).catch((error) => error),
            ),
        );
        proxy.mode = "up";
        const written = await waitUntil(
          "a write",
          () =>
            writer.send("n", ["INCR", "n"]).catch((error) => {
              assert(isSurelyUnsent(error), `${error}`);
              return undefined;
            }),
        );
        assertEquals(written?.answer, 2);
      },
    );
    await waitUntil(
      "no client left",
      async () =>
        String(await command(server, ["CLIENT", "LIST"])).trim().split("\n")
          .length === 1,
    );
  },
);

durabilityTest(
  "a write whose answer is lost is not called unsent, nor confirmed",
  async () => {
    await using server = await startRedisServer();
    await using proxy = new TcpProxy(server.url);
    await withWriter(
      proxy.url,
      { replicas: 1, timeoutMs: 50 },
      async (writer) => {
        await writer.send("n", ["INCR", "n"]);
        proxy.fault = (request) =>
          request.includes("INCR") ? { cut: "before reply" } : undefined;
        const error = await assertRejects(() =>
          writer.send("n", ["INCR", "n"])
        );
        assert(!isSurelyUnsent(error), `${error}`);
        assertEquals(await command(server, ["GET", "n"]), "2");
      },
    );
  },
);

durabilityTest(
  "a silent connection is given up after the time of a WAIT and 2 s",
  async () => {
    await using server = await startRedisServer();
    await using proxy = new TcpProxy(server.url);
    await withWriter(
      proxy.url,
      { replicas: 1, timeoutMs: 100 },
      async (writer) => {
        await writer.send("n", ["INCR", "n"]);
        proxy.freezeAll();
        const start = performance.now();
        const lost = await deadline(
          "the end of the write",
          assertRejects(() => writer.send("n", ["INCR", "n"])),
        );
        assert(!isSurelyUnsent(lost));
        assert(performance.now() - start < 3000);
        assertEquals((await writer.send("n", ["INCR", "n"])).answer, 2);
      },
    );
  },
);

durabilityTest("an idle connection is kept", async () => {
  await using server = await startRedisServer();
  await withWriter(
    server.url,
    { replicas: 1, timeoutMs: 1 },
    async (writer) => {
      await writer.send("n", ["INCR", "n"]);
      const list = String(await command(server, ["CLIENT", "LIST"]));
      const ids = [...list.matchAll(/^id=(\d+)/gm)].map(([, id]) => id!);
      // Longer than the socket's timeout of 4,001 ms.
      await new Promise((resolve) => setTimeout(resolve, 5000));
      await writer.send("n", ["INCR", "n"]);
      const later = String(await command(server, ["CLIENT", "LIST"]));
      const kept = ids.filter((id) => later.includes(`id=${id} `));
      assertEquals(kept.length, 2);
    },
  );
});

durabilityTest("follows the redirections of a Cluster", async () => {
  await using nodes = await startCluster();
  const [from, to] = nodes.servers as [RedisServer, RedisServer];
  const link = await connectLink(
    { rootNodes: nodes.servers.map(({ url }) => ({ url })) },
    { onWarning: () => {} },
  );
  const writer = new DurableWriter(link, { replicas: 1, timeoutMs: 20 });
  try {
    const key = await keyOf(from);
    const slot = String(await command(from, ["CLUSTER", "KEYSLOT", key]));
    const incr = async () => (await writer.send(key, ["INCR", key])).answer;
    assertEquals(await incr(), 1);
    assertEquals(await command(from, ["DEL", key]), 1);
    const ids = [
      String(await command(from, ["CLUSTER", "MYID"])),
      String(await command(to, ["CLUSTER", "MYID"])),
    ] as const;
    const setSlot = (server: RedisServer, ...args: string[]) =>
      command(server, ["CLUSTER", "SETSLOT", slot, ...args]);
    await setSlot(to, "IMPORTING", ids[0]);
    await setSlot(from, "MIGRATING", ids[1]);
    // ASK: the key is not there any more, and the slot still is.
    assertEquals(await incr(), 1);
    assertEquals(await incr(), 2);
    for (const server of [to, from, nodes.servers[2]!]) {
      await setSlot(server, "NODE", ids[1]);
    }
    // MOVED.
    assertEquals(await incr(), 3);
    assertEquals(await command(to, ["GET", key]), "3");
  } finally {
    writer.close();
    await link.close();
  }
});

durabilityTest(
  "a borrowed client that is closed first leaves nothing running",
  async () => {
    await using server = await startRedisServer();
    const client = await createClient({ url: server.url }).connect();
    const link = borrowLink(client, () => {});
    const writer = new DurableWriter(link, { replicas: 1, timeoutMs: 10 });
    await writer.send("n", ["INCR", "n"]);
    client.destroy();
    // The sanitizers of the test find timers and sockets that are left.
    await waitUntil(
      "no client left",
      async () =>
        String(await command(server, ["CLIENT", "LIST"])).trim().split("\n")
          .length === 1,
    );
  },
);

/** A key that a node of a Cluster serves. */
async function keyOf(server: RedisServer): Promise<string> {
  for (let n = 0;; n++) {
    try {
      await command(server, ["EXISTS", `k${n}`]);
      return `k${n}`;
    } catch {
      // Of another node.
    }
  }
}
