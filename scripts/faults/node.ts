/** One server that loses nothing: also killed, it starts with all it answered. */

import { RedisBackend } from "../../src/redis/redis_backend.ts";
import { type RedisServer, startRedisServer } from "../lib/redis_server.ts";
import { readAof } from "./aof.ts";
import { commonFaults } from "./server_faults.ts";
import { persistentIn, type Topology } from "./topology.ts";

/** Starts it. */
export async function startNode(prefix: string): Promise<Topology> {
  const dir = await Deno.makeTempDir({ prefix: "mcp-faults-" });
  const args = persistentIn(dir);
  let server: RedisServer = await startRedisServer({ args });
  const { port } = server;
  return {
    faults: [
      ...commonFaults(() => server),
      {
        weight: 2,
        kind: "kill -9",
        isVital: true,
        run: async () => {
          await server.kill();
          server = await startRedisServer({ args, port });
        },
      },
    ],
    faultEveryMs: 500,
    isUsedUp: false,
    hasFailovers: false,
    open: (network) =>
      RedisBackend.connect(`redis://127.0.0.1:${network.portOf(port)}`, {
        prefix,
      }),
    histories: async () => [{
      transactions: await readAof(dir),
      lost: [],
      isOneClock: true,
    }],
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await Deno.remove(dir, { recursive: true });
    },
  };
}
