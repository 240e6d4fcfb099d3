/**
 * A stand-in for what pull request 2782 adds to the SDK: servers that take
 * extensions, and a Tasks extension on a store of four methods. It speaks the
 * part of the wire that a client meets; the store is all that is under test.
 *
 * @module
 */

import * as sdk from "@modelcontextprotocol/server";
import type {
  ExtTask,
  ExtTaskStore,
  SchemaLike,
  ToolCallContext,
} from "../../../mod.ts";

export { createMcpHandler } from "@modelcontextprotocol/server";

/** The four methods. */
type Store = Pick<ExtTaskStore, "create" | "get" | "update" | "cancel">;

const TASKS = "io.modelcontextprotocol/tasks";

/** A server that takes extensions. */
export class McpServer extends sdk.McpServer {
  constructor(
    info: { name: string; version: string },
    { extensions }: { extensions: TasksExtension[] },
  ) {
    super(info);
    for (const extension of extensions) extension.install(this);
  }
}

/** The extension: the wire, and nothing of tasks. */
export class TasksExtension {
  readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** Makes the task a tool answers with. */
  async create(
    ctx: RequestContext,
    options: { ttlMs: number; context?: Record<string, unknown> },
  ): Promise<sdk.CallToolResult & ExtTask> {
    const task = await this.store.create({
      pollIntervalMs: 10,
      ...options,
      ...accessOf(ctx),
    });
    return { resultType: "task", ...task } as never as
      & sdk.CallToolResult
      & ExtTask;
  }

  /** Lets a server speak it. */
  install({ server }: sdk.McpServer): void {
    server.registerCapabilities({ extensions: { [TASKS]: {} } });
    const on = (name: string, method: Method) =>
      (server.setRequestHandler as unknown as SetHandler)(
        name,
        { params: ANYTHING },
        async ({ taskId }, ctx) => {
          const found = await method(taskId, accessOf(ctx), ctx);
          if (!found) throw new sdk.ProtocolError(-32602, "Task not found");
          return { resultType: "complete", ...(found === true ? {} : found) };
        },
      );
    on("tasks/get", (taskId, access) => this.store.get(taskId, access));
    on("tasks/cancel", (taskId, access) => this.store.cancel(taskId, access));
    on(
      "tasks/update",
      (taskId, access, { mcpReq }) =>
        this.store.update(taskId, mcpReq.inputResponses ?? {}, access),
    );
  }
}

/** What of a request its extension looks at: the client, not its user. */
interface RequestContext {
  readonly http?: { readonly authInfo?: { readonly clientId: string } };
}

function accessOf({ http }: RequestContext) {
  const principal = http?.authInfo?.clientId;
  return principal === undefined ? {} : { principal };
}

type Method = (
  taskId: string,
  access: { principal?: string },
  ctx: ToolCallContext,
) => Promise<object | boolean | undefined>;

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
