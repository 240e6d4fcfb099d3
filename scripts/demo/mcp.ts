/**
 * `deno task demo:mcp`: MCP servers with a slow tool, two processes on one
 * Redis behind a round-robin; the SDK's real client begins a task, the process
 * that works on it is killed, and the client gets status and result from the
 * other. One story per protocol era.
 *
 * It runs on the Redis at `REDIS_URL`, or on a private one, tells what
 * happens, and exits with 1 if anything is not as promised.
 *
 * @module
 */

import { story2025 } from "./mcp_2025.ts";
import { storyExtension } from "./mcp_2026.ts";
import type { Story } from "./mcp_story.ts";
import { startRedisServer } from "../lib/redis_server.ts";

/** The eras, in the order they are told. */
const STORIES: readonly Story[] = [story2025, storyExtension];

/** What one story does not finish in, it fails for. */
const DEADLINE_MS = 15_000;

async function main(): Promise<void> {
  const given = Deno.env.get("REDIS_URL");
  await using server = given ? undefined : await startRedisServer();
  const redisUrl = given || server!.url;
  console.log(given ? "Redis: the one at REDIS_URL" : `Redis: ${redisUrl}`);
  for (const { title, tell } of STORIES) {
    console.log(`\n# ${title}`);
    const startMs = performance.now();
    const say = (text: string) => {
      const seconds = (performance.now() - startMs) / 1000;
      console.log(`${seconds.toFixed(1).padStart(5)} s  ${text}`);
    };
    // Their keys end by themselves: every task has a TTL.
    const env = {
      REDIS_URL: redisUrl,
      PREFIX: `mcp-demo-${crypto.randomUUID()}`,
    };
    await tell({ env, say });
  }
  console.log("\nEverything was as promised.");
}

const deadline = setTimeout(() => {
  console.error(`not done after ${DEADLINE_MS * STORIES.length} ms`);
  Deno.exit(1);
}, DEADLINE_MS * STORIES.length);
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Exiting by ourselves ends the processes on the way out.
  Deno.addSignalListener(signal, () => Deno.exit(1));
}
try {
  await main();
} catch (error) {
  console.error(error);
  Deno.exitCode = 1;
}
clearTimeout(deadline);
Deno.exit();
