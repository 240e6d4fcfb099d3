/**
 * Two ways to one Redis, one through a proxy that loses answers: by a client
 * of the library's own, and by a Sentinel client that resends on its own.
 *
 * @module
 */

import { createSentinel } from "redis";
import { RedisBackend, type RedisClientLike } from "../../mod.ts";
import { startRedisServer } from "../../scripts/lib/redis_server.ts";
import { ownServerEnabled } from "./gate.ts";
import { TcpProxy } from "./proxy.ts";
import { redisTest } from "./redis_fixture.ts";
import { waitUntil } from "./wait.ts";

/** See the module. */
export interface Ways {
  readonly proxy: TcpProxy;
  /** Through the proxy. */
  readonly cut: RedisBackend;
  /** Past it. */
  readonly direct: RedisBackend;
  /** Opens another backend, through a proxy of its own. */
  another(): Promise<{ proxy: TcpProxy; backend: RedisBackend }>;
}

/** Registers a test for both ways. */
export function faultTest(
  name: string,
  body: (ways: Ways) => Promise<void>,
): void {
  redisTest(name, async (redis) => {
    await using stack = new AsyncDisposableStack();
    const another = async () => {
      const proxy = stack.use(new TcpProxy(redis.url));
      return { proxy, backend: await redis.connect({}, proxy.url) };
    };
    const { proxy, backend: cut } = await another();
    await body({ proxy, cut, direct: await redis.connect(), another });
    await redis.close();
  });
  Deno.test({
    name: `redis_${name}_through_a_sentinel_that_resends`,
    ignore: !ownServerEnabled,
    fn: () => withSentinel(body),
  });
}

/** Runs a body with borrowed Sentinel clients of node-redis' own defaults. */
export async function withSentinel(
  body: (ways: Ways) => Promise<void>,
  onWarning: (message: string) => void = () => {},
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const master = stack.use(await startRedisServer());
  const sentinel = stack.use(
    await startRedisServer({
      sentinel: [
        `sentinel monitor main 127.0.0.1 ${master.port} 1`,
        // The master is cut off from clients, never from the Sentinel.
        "sentinel down-after-milliseconds main 60000",
      ],
    }),
  );
  const another = async () => {
    const proxy = stack.use(new TcpProxy(master.url));
    const client = createSentinel({
      name: "main",
      sentinelRootNodes: [{ host: "127.0.0.1", port: sentinel.port }],
      // Where addresses are mapped, each scan opens all connections again.
      scanInterval: 3_600_000,
      nodeAddressMap: (address: string) =>
        address.endsWith(`:${master.port}`)
          ? { host: "127.0.0.1", port: Number(new URL(proxy.url).port) }
          : undefined,
    });
    client.on("error", () => {});
    await client.connect();
    stack.defer(() => client.close());
    const backend = stack.use(
      new RedisBackend(client as unknown as RedisClientLike, { onWarning }),
    );
    await waitUntil(
      "the Sentinel's master",
      () => backend.delete("alice:none").then(() => true, () => false),
    );
    return { proxy, backend };
  };
  const { proxy, backend: cut } = await another();
  const direct = stack.use(await RedisBackend.connect(master.url));
  await body({ proxy, cut, direct, another });
}
