/**
 * A server that speaks the Tasks extension on a store of four methods, for as
 * long as no released SDK does: the wire of pull request 2782, with the parts a
 * client meets. The store is all that is under test.
 *
 * @module
 */

import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import type {
  ExtTaskHandle,
  ExtTaskStore,
  SchemaLike,
  ToolCallContext,
} from "../../../mod.ts";

/** What the work on a task does. */
export type Work = (handle: ExtTaskHandle) => Promise<void>;

/** Answers a request for the user and the client its bearer token names. */
export type Answer = (request: Request) => Promise<Response>;

const TASKS = "io.modelcontextprotocol/tasks";

/** A server object speaks the extension on a store, for one request. */
function attach(mcp: McpServer, store: ExtTaskStore): void {
  mcp.server.registerCapabilities({ extensions: { [TASKS]: {} } });
  const method = (
    name: string,
    call: (taskId: string, ctx: ToolCallContext) => Promise<object | undefined>,
  ) =>
    (mcp.server.setRequestHandler as unknown as SetHandler)(
      name,
      { params: ANYTHING },
      async (params, ctx) => {
        const found = await call(params.taskId, ctx);
        if (!found) throw Object.assign(new Error("not found"), NOT_FOUND);
        return { resultType: "complete", ...found };
      },
    );
  const ack = (found: boolean) => found ? {} : undefined;
  method("tasks/get", (taskId, ctx) => store.get(taskId, accessOf(ctx)));
  method("tasks/update", async (taskId, ctx) => {
    const answers = ctx.mcpReq.inputResponses ?? {};
    return ack(await store.update(taskId, answers, accessOf(ctx)));
  });
  method(
    "tasks/cancel",
    async (taskId, ctx) => ack(await store.cancel(taskId, accessOf(ctx))),
  );
}

/**
 * Makes a server whose one tool, `work`, becomes a task. Tokens are
 * `user@client`; tasks belong to the user, whom the SDK tells no store of.
 */
export function makeServer(store: ExtTaskStore, work: Work): Answer {
  const handler = createMcpHandler(({ authInfo }) => {
    const mine = store.forOwner(String(authInfo?.extra?.sub));
    const mcp = new McpServer({ name: "ext", version: "1.0.0" });
    attach(mcp, mine);
    mcp.registerTool("work", {}, async (ctx) => {
      const task = await mine.create({
        ttlMs: 60_000,
        pollIntervalMs: 10,
        ...accessOf(ctx),
      });
      work(store.handle(task.taskId)).catch(() => {});
      return { resultType: "task", ...task } as never;
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

function accessOf(ctx: { http?: { authInfo?: { clientId: string } } }) {
  const clientId = ctx.http?.authInfo?.clientId;
  return clientId === undefined ? {} : { principal: clientId };
}

const NOT_FOUND = { name: "ProtocolError", code: -32602 };

type SetHandler = (
  method: string,
  schemas: { params: SchemaLike },
  handler: (
    params: { taskId: string },
    ctx: ToolCallContext,
  ) => Promise<object>,
) => void;

const ANYTHING: SchemaLike = {
  "~standard": Object.assign(
    { validate: (value: unknown) => ({ value }) },
    { version: 1, vendor: "test" },
  ),
};
