/**
 * One instance of the fixture's server, as a process. It is told what to be by
 * one argument of JSON, says `listening <port>` and then what it does.
 *
 * @module
 */

import { createTaskStore } from "../../../mod.ts";
import { makeServer } from "./fixture.ts";

/** What an instance is told. */
export interface InstanceOptions {
  /** Where Redis is; left out: tasks stay in the memory of the instance. */
  readonly redisUrl?: string;
  readonly prefix?: string;
  readonly holder: string;
  readonly leaseMs: number;
}

if (import.meta.main) {
  const { redisUrl, prefix, holder, leaseMs }: InstanceOptions = JSON.parse(
    Deno.args[0]!,
  );
  const store = await createTaskStore({
    ...(redisUrl ? { url: redisUrl } : { memory: true }),
    ...(prefix ? { redis: { prefix } } : {}),
  });
  const { fetch, extension } = makeServer(store, { holder, leaseMs }, {
    beforeTask: async () => {
      console.log("before task");
      // The first instance never gets further: it is killed here.
      if (holder === "first") await new Promise(() => {});
    },
    onRun: (taskId, signal) => {
      console.log(`runs ${taskId}`);
      signal.addEventListener("abort", () => console.log(`stops ${taskId}`));
    },
  });
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`listening ${port}`),
  }, fetch);
  Deno.addSignalListener("SIGTERM", async () => {
    const { finished, failed } = await extension.drain({ timeoutMs: 200 });
    console.log(`drained ${finished.length} ${failed.length}`);
    await server.shutdown();
    await store.close();
    Deno.exit(0);
  });
}
