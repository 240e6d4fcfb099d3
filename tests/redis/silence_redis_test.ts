/**
 * Connections that go silent without being closed: found and replaced.
 *
 * @module
 */

import { assert } from "@std/assert";
import { startRedisServer } from "../../scripts/lib/redis_server.ts";
import { connectLink } from "../../src/redis/connect.ts";
import type { RedisConnectOptions } from "../../src/redis/connect_options.ts";
import type { RedisLink } from "../../src/redis/link_types.ts";
import { isSurelyUnsent } from "../../src/redis/send_errors.ts";
import { ownServerEnabled } from "../support/gate.ts";
import { TcpProxy } from "../support/proxy.ts";
import { startCluster, startSentinelGroup } from "../support/topology.ts";
import { deadline, pause, waitUntil } from "../support/wait.ts";

/** How long it may take until commands succeed again. */
const RECOVERY_MS = 5000;

const onWarning = () => {};

/** Registers a test that starts servers of its own. */
function silenceTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `redis_silence: ${name}`, ignore: !ownServerEnabled, fn });
}

/** Freezes the connections there are; returns when a command succeeds again. */
async function recoveryMs(
  link: RedisLink,
  proxies: readonly TcpProxy[],
  everyMs: number,
): Promise<number> {
  await link.send("k", false, ["HMGET", "k", "f"]);
  for (const proxy of proxies) proxy.freezeAll();
  const start = performance.now();
  const errors: unknown[] = [];
  let recoveredMs = NaN;
  const calls: Promise<void>[] = [];
  while (
    Number.isNaN(recoveredMs) && performance.now() - start < 3 * RECOVERY_MS
  ) {
    calls.push(
      link.send("k", false, ["HMGET", "k", "f"]).then(
        () => {
          if (Number.isNaN(recoveredMs)) {
            recoveredMs = performance.now() - start;
          }
        },
        (error) => {
          errors.push(error);
        },
      ),
    );
    await pause(everyMs);
  }
  // No command is left without an end.
  await deadline("the end of all commands", Promise.all(calls));
  assert(!Number.isNaN(recoveredMs), "never replaced");
  // Those that were written before the loss was found may have been executed.
  assert(errors.some((error) => !isSurelyUnsent(error)));
  return recoveredMs;
}

for (const [load, everyMs] of [["a busy", 50], ["an idle", 1000]] as const) {
  silenceTest(
    `${load} connection of a client is replaced within 5 s`,
    async () => {
      await using server = await startRedisServer();
      await using proxy = new TcpProxy(server.url);
      const link = await connectLink(proxy.url, { onWarning });
      try {
        const tookMs = await recoveryMs(link, [proxy], everyMs);
        console.log(`recovered after ${Math.round(tookMs)} ms`);
        assert(tookMs < RECOVERY_MS, `took ${tookMs} ms`);
      } finally {
        await link.close();
      }
    },
  );
}

silenceTest(
  "a busy connection to a node of a Cluster is replaced within 5 s",
  async () => {
    await using nodes = await startCluster();
    await using stack = new AsyncDisposableStack();
    const proxies = nodes.servers.map(({ url }) =>
      stack.use(new TcpProxy(url))
    );
    const target = behind(nodes.servers, proxies);
    const link = await connectLink({
      rootNodes: nodes.servers.map(({ url }) => ({ url })),
      nodeAddressMap: target,
    }, { onWarning });
    try {
      const tookMs = await recoveryMs(link, proxies, 50);
      console.log(`recovered after ${Math.round(tookMs)} ms`);
      assert(tookMs < RECOVERY_MS, `took ${tookMs} ms`);
    } finally {
      await link.close();
    }
  },
);

silenceTest(
  "a busy connection to the master of Sentinels is replaced within 5 s",
  async () => {
    await using group = await startSentinelGroup();
    await using proxy = new TcpProxy(group.master.url);
    const link = await connectLink({
      name: "main",
      sentinelRootNodes: [{ host: "127.0.0.1", port: group.sentinel.port }],
      nodeAddressMap: behind([group.master], [proxy]),
    }, { onWarning });
    try {
      const tookMs = await recoveryMs(link, [proxy], 50);
      console.log(`recovered after ${Math.round(tookMs)} ms`);
      assert(tookMs < RECOVERY_MS, `took ${tookMs} ms`);
    } finally {
      await link.close();
    }
  },
);

for (const RESP of [2, 3] as const) {
  silenceTest(
    `a connection for events is replaced within 6 s under RESP${RESP}, though subscriptions are made meanwhile`,
    async () => {
      await using server = await startRedisServer();
      await using proxy = new TcpProxy(server.url);
      const target: RedisConnectOptions = { url: proxy.url, RESP };
      const link = await connectLink(target, { onWarning });
      const subscriber = await link.openSubscriber();
      try {
        const heard: string[] = [];
        let resets = 0;
        subscriber.onReset(() => resets++);
        await subscriber.sSubscribe("c", (message) => heard.push(message));
        // Longer than the socket's timeout: pings keep the connection.
        await pause(5000);
        assert(resets === 0, "a healthy connection was replaced");
        proxy.freezeAll();
        const start = performance.now();
        const busy: Promise<unknown>[] = [];
        await waitUntil("the subscription restored", () => {
          busy.push(
            subscriber.sSubscribe(`d${busy.length}`, () => {}).catch(() => {}),
          );
          return resets > 0;
        }, { deadlineMs: 15_000, everyMs: 100 });
        const tookMs = performance.now() - start;
        console.log(`restored after ${Math.round(tookMs)} ms`);
        assert(tookMs < 6000, `took ${tookMs} ms`);
        await deadline("the end of all subscribing", Promise.all(busy));
        await waitUntil("the link is ready", () => link.isReady);
        await link.send("c", false, ["SPUBLISH", "c", "1"]);
        await waitUntil("the event", () => heard.length === 1);
      } finally {
        await link.close();
      }
    },
  );
}

/** Maps the addresses of servers to those of the proxies in front of them. */
function behind(
  servers: readonly { readonly port: number }[],
  proxies: readonly TcpProxy[],
): Record<string, { host: string; port: number }> {
  return Object.fromEntries(
    servers.map(({ port }, i) => [
      `127.0.0.1:${port}`,
      { host: "127.0.0.1", port: Number(new URL(proxies[i]!.url).port) },
    ]),
  );
}
