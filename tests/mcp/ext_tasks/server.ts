/**
 * A server in the test's own process, on the stand-in for the coming SDK.
 *
 * @module
 */

import type { ExtTaskHandle, ExtTaskStore } from "../../../mod.ts";
import { createMcpHandler, McpServer, TasksExtension } from "./sdk.ts";

/** What the work on a task does. */
export type Work = (handle: ExtTaskHandle) => Promise<void>;

/** Answers a request for the user and the client its bearer token names. */
export type Answer = (request: Request) => Promise<Response>;

/**
 * Makes a server whose one tool, `work`, becomes a task. Tokens are
 * `user@client`; tasks belong to the user, of whom the SDK tells no store.
 */
export function makeServer(store: ExtTaskStore, work: Work): Answer {
  const handler = createMcpHandler(({ authInfo }) => {
    const sub = authInfo!.extra!.sub as string;
    const tasks = new TasksExtension(store.forOwner(sub));
    const info = { name: "ext", version: "1.0.0" };
    const mcp = new McpServer(info, { extensions: [tasks] });
    mcp.registerTool("work", {}, async (ctx) => {
      const task = await tasks.create(ctx, { ttlMs: 60_000 });
      work(store.handle(task.taskId)).catch(() => {});
      return task;
    });
    return mcp;
  }, { keepAliveMs: 0 });
  return (request) => {
    const token = request.headers.get("authorization")?.split(" ")[1] ?? "";
    const [sub, clientId] = token.split("@") as [string, string];
    return handler.fetch(request, {
      authInfo: { token, clientId, scopes: [], extra: { sub } },
    });
  };
}
