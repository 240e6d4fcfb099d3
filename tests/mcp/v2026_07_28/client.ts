/**
 * Clients of the Tasks extension for its tests: one that sends bare JSON-RPC,
 * and the port on which the independent client of `@modelcontextprotocol/
 * ext-tasks` runs.
 *
 * @module
 */

import type { ConnectedMcpSessionPort } from "@modelcontextprotocol/ext-tasks/client";
import { deadline, waitUntil } from "../../support/wait.ts";

/** Sends a request somewhere: to a server object or over the network. */
export type Send = (request: Request) => Promise<Response>;

/** A JSON object. */
// deno-lint-ignore no-explicit-any
export type Json = Record<string, any>;

const META = "io.modelcontextprotocol/";
const TASKS = `${META}tasks`;
const FINAL = ["completed", "failed", "cancelled"];

/** Options of a {@linkcode RpcClient}. */
export interface RpcClientOptions {
  /** Who it is; left out: the fixture's only owner. */
  readonly owner?: string;
  /** What it says it can. Default: elicitation and tasks. */
  readonly capabilities?: Json;
  /** Makes the id of a request from its number. Default: that number. */
  readonly idOf?: (n: number) => string | number;
}

/** The capabilities of a client that knows tasks. */
export const WITH_TASKS: Json = {
  elicitation: {},
  extensions: { [TASKS]: {} },
};

/** Speaks bare JSON-RPC. */
export class RpcClient {
  readonly #send: Send;
  readonly #owner: string | undefined;
  readonly #capabilities: Json;
  readonly #idOf: (n: number) => string | number;
  #id = 0;

  constructor(send: Send, options: RpcClientOptions = {}) {
    this.#send = send;
    this.#owner = options.owner;
    this.#capabilities = options.capabilities ?? WITH_TASKS;
    this.#idOf = options.idOf ?? ((n) => n);
  }

  /** Sends a request and returns the whole response. */
  async rpc(method: string, params: Json = {}): Promise<Json> {
    const response = await this.#post(method, params);
    return readRpc(await response.text());
  }

  /** The result; fails on an error. */
  async result(method: string, params: Json = {}): Promise<Json> {
    const { result, error } = await this.rpc(method, params);
    if (error) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  /** The error; fails on a result. */
  async error(method: string, params: Json = {}): Promise<Json> {
    const { result, error } = await this.rpc(method, params);
    if (!error) throw new Error(`${method}: ${JSON.stringify(result)}`);
    return error;
  }

  /** Calls a tool. */
  call(name: string, args: Json = {}, more: Json = {}): Promise<Json> {
    return this.result("tools/call", { name, arguments: args, ...more });
  }

  /** Calls a tool that becomes a task, and returns the task's id. */
  async start(name: string, args: Json = {}): Promise<string> {
    const { resultType, taskId } = await this.call(name, args);
    if (resultType !== "task") throw new Error(`${name} became no task`);
    return taskId;
  }

  get(taskId: string): Promise<Json> {
    return this.result("tasks/get", { taskId });
  }

  cancel(taskId: string): Promise<Json> {
    return this.result("tasks/cancel", { taskId });
  }

  update(taskId: string, inputResponses: Json): Promise<Json> {
    return this.result("tasks/update", { taskId, inputResponses });
  }

  /** Looks until the task has a status, or any final one. */
  async until(
    taskId: string,
    status?: string,
    deadlineMs = 10_000,
  ): Promise<Json> {
    let task: Json = {};
    await waitUntil(`task ${taskId} is ${status ?? "final"}`, async () => {
      task = await this.get(taskId);
      return status === undefined
        ? FINAL.includes(task.status)
        : task.status === status;
    }, { deadlineMs });
    return task;
  }

  /** Opens a stream of `subscriptions/listen`. */
  async listen(
    notifications: Json,
    leave: AbortController = new AbortController(),
  ): Promise<Listening> {
    const response = await this.#post("subscriptions/listen", {
      notifications,
    }, leave.signal);
    return new Listening(response, leave);
  }

  #post(method: string, params: Json, signal?: AbortSignal): Promise<Response> {
    const name = params.name ?? params.taskId;
    return this.#send(
      new Request("http://localhost/mcp", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "accept": "application/json, text/event-stream",
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": method,
          ...(typeof name === "string" ? { "mcp-name": headerOf(name) } : {}),
          ...(this.#owner ? { authorization: `Bearer ${this.#owner}` } : {}),
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: this.#idOf(++this.#id),
          method,
          params: {
            ...params,
            _meta: {
              [`${META}protocolVersion`]: "2026-07-28",
              [`${META}clientInfo`]: { name: "test", version: "1" },
              [`${META}clientCapabilities`]: this.#capabilities,
              ...params._meta,
            },
          },
        }),
        signal: signal ?? null,
      }),
    );
  }
}

/** A text as a header: as it is, or as the protocol encodes any other. */
function headerOf(text: string): string {
  if (/^[\x21-\x7e]*$/.test(text)) return text;
  const bytes = new TextEncoder().encode(text);
  return `=?base64?${btoa(String.fromCharCode(...bytes))}?=`;
}

/** An open stream of `subscriptions/listen`. */
export class Listening {
  readonly response: Response;
  readonly #leave: AbortController;
  readonly #messages: AsyncGenerator<Json>;

  constructor(response: Response, leave: AbortController) {
    this.response = response;
    this.#leave = leave;
    this.#messages = readEvents(response);
  }

  /** The next message; `undefined` at the end of the stream. */
  async next(): Promise<Json | undefined> {
    const { value } = await deadline("a message", this.#messages.next());
    return value;
  }

  /** Reads on until a message fits. */
  async until(what: string, fits: (message: Json) => boolean): Promise<Json> {
    while (true) {
      const message = await this.next();
      if (message === undefined) throw new Error(`ended before ${what}`);
      if (fits(message)) return message;
    }
  }

  /** Reads on until a task is reported in a status; its params. */
  async task(taskId: string, status: string): Promise<Json> {
    const { params } = await this.until(
      `task ${taskId} was ${status}`,
      ({ method, params }) =>
        method === "notifications/tasks" && params.taskId === taskId &&
        params.status === status,
    );
    return params;
  }

  /**
   * Leaves, as a client does whose connection breaks: the server sees the
   * request abort, or the body of its response cancelled, or both.
   */
  async leave(seenBy: "abort" | "cancel" | "both" = "both"): Promise<void> {
    if (seenBy !== "cancel") this.#leave.abort();
    if (seenBy === "abort") return;
    await this.#messages.return(undefined).catch(() => {});
    await this.response.body?.cancel().catch(() => {});
  }
}

async function* readEvents(response: Response): AsyncGenerator<Json> {
  let buffer = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    buffer += decoder.decode(chunk, { stream: true });
    const frames = buffer.split("\n\n");
    buffer = frames.pop()!;
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data !== undefined) yield JSON.parse(data);
    }
  }
}

function readRpc(body: string): Json {
  const data = /^data: (.*)$/m.exec(body)?.[1];
  return JSON.parse(data ?? body);
}

/** The port of a session of `@modelcontextprotocol/ext-tasks`. */
export function makePort(
  send: Send,
  options: RpcClientOptions = {},
): ConnectedMcpSessionPort {
  const client = new RpcClient(send, options);
  return {
    endpointId: "the-server-under-test",
    taskCapabilities: { generation: "v2", capabilities: {} },
    async dispatch(request) {
      const { method, params = {} } = request as Json;
      const { _meta, ...rest } = params as Json;
      const capabilities = _meta?.[`${META}clientCapabilities`] ?? {};
      const response = await client.rpc(method, {
        ...rest,
        _meta: {
          ..._meta,
          [`${META}clientCapabilities`]: { elicitation: {}, ...capabilities },
        },
      });
      return response.error
        ? { kind: "error", error: response.error }
        : { kind: "result", result: response.result };
    },
    onServerRequest: () => () => {},
    onNotification: () => () => {},
    onInvalidated: () => () => {},
    invalidated: false,
  };
}
