/**
 * A server runtime for the Tasks extension of MCP 2026-07-28,
 * `io.modelcontextprotocol/tasks`, on `@modelcontextprotocol/server`.
 *
 * @module
 */

import { MAX_TIMER_MS, requireInteger } from "../../storage/checks.ts";
import type { LeaseOptions } from "../../task/options.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { reporterOf } from "../client_errors.ts";
import {
  requireCallback,
  requireFunction,
  requireName,
  requireTtl,
} from "../options.ts";
import { resolveOwner } from "../owner.ts";
import { quoted } from "../../task/quoted.ts";
import type { DrainOptions, DrainResult } from "./drain.ts";
import { TaskSubscriptions } from "./subscriptions.ts";
import { TaskRunner } from "./runner.ts";
import type {
  InnerMcpServer,
  McpFetch,
  McpHandlerLike,
  McpServerLike,
  RequestContext,
  SchemaLike,
  ToolCallContext,
  ToolCallHandler,
} from "./sdk.ts";
import { taskMethods } from "./task_methods.ts";
import {
  type TaskTool,
  type TaskToolConfig,
  type TaskToolHandler,
  ToolCalls,
} from "./tool_calls.ts";
import type { ArgumentsOf } from "./tool_calls.ts";
import { TASKS_EXTENSION } from "./wire.ts";

/** Options of a {@linkcode TasksExtension}. */
export interface TasksExtensionOptions {
  /**
   * Whose tasks a request may make and see: a person or account that was
   * checked, such as `ownerOf(ctx.http?.authInfo)`. It is asked at every
   * request. An error it throws answers the request if it has a JSON-RPC code,
   * and is otherwise for `onError` alone.
   *
   * The trap: `authInfo.clientId` is the application, not the person. All who
   * use one application would read and cancel each other's tasks.
   */
  readonly owner: (ctx: RequestContext) => string | Promise<string>;
  /**
   * The time a task outlives its worker, in milliseconds: the task of a process
   * that died is failed within that time. A lease is renewed every third of
   * it. Default: 30,000.
   */
  readonly leaseMs?: number | undefined;
  /** The name of this process among all. Default: a random one. */
  readonly holder?: string | undefined;
  /** A task's life, in milliseconds; `null`: without an end. Default: as the store says. */
  readonly ttlMs?: number | null | undefined;
  /** The time between two looks of a client, in milliseconds. Default: as the store says. */
  readonly pollIntervalMs?: number | undefined;
  /** The most `subscriptions/listen` streams with tasks, of all owners. Default: 1,024. */
  readonly maxSubscriptions?: number | undefined;
  /** The most of them that one owner may have. Default: 64. */
  readonly maxSubscriptionsPerOwner?: number | undefined;
  /**
   * The longest time the client of such a stream may take to read what there is to
   * send next, one state of a task, in milliseconds; then its stream is cut off.
   * Meanwhile a change of a task costs it no memory: it gets the latest state once
   * it reads on.
   * Default: 30,000.
   */
  readonly maxBehindMs?: number | undefined;
  /** The time between two signs of life of such a stream, in milliseconds. Default: 15,000. */
  readonly keepAliveMs?: number | undefined;
  /**
   * Called with what no caller is told: failures of the storage, which clients
   * see without details, leases that were lost, what `owner` has thrown, and
   * which limit has refused a listener. What it throws is ignored. Default: not
   * called.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * The Tasks extension for servers made with `@modelcontextprotocol/server`:
 * tools become tasks that any instance answers for, that ask their client for
 * input, are cancelled, and outlive the process they began in.
 *
 * One object serves a process, whatever the number of server objects.
 *
 * @example A server whose tool is a task
 * ```ts
 * import { createTaskStore, ownerOf, TasksExtension } from "@mcp-tasks/redis";
 * import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await createTaskStore(); // memory; { url } for Redis
 * const tasks = new TasksExtension(store, {
 *   owner: (ctx) => ownerOf(ctx.http?.authInfo),
 * });
 * const handler = createMcpHandler(() => {
 *   const mcp = new McpServer({ name: "reports", version: "1.0.0" });
 *   tasks.attach(mcp);
 *   tasks.registerTool(mcp, "report", { task: "required" }, async (_, task) => {
 *     await task.setStatus("reading");
 *     return { content: [{ type: "text", text: "all is well" }] };
 *   });
 *   return mcp;
 * });
 * const answer = tasks.fetch(handler); // for each request: answer(request, { authInfo })
 *
 * assertEquals((await answer(new Request("http://localhost"))).status, 405);
 * assertEquals(await tasks.drain(), { finished: [], failed: [] }); // at the end
 * ```
 */
export class TasksExtension {
  readonly #store: TaskStore;
  /** As they were when they were checked. */
  readonly #options: Pick<
    TasksExtensionOptions,
    "owner" | "ttlMs" | "pollIntervalMs"
  >;
  readonly #onError: (error: unknown) => void;
  readonly #runner: TaskRunner;
  readonly #listens: TaskSubscriptions;
  readonly #attached = new WeakMap<object, ToolCalls>();

  /**
   * An extension for the server objects of this process.
   *
   * @param store Where the tasks are; it stays the caller's to close.
   * @param options Who owns tasks, and how long things take.
   * @throws {RangeError} If an option is out of its range.
   * @throws {TypeError} If an option is of the wrong kind, `owner` is missing,
   * or the backend of the store keeps no leases.
   */
  constructor(store: TaskStore, options: TasksExtensionOptions) {
    const {
      owner,
      leaseMs = 30_000,
      holder = crypto.randomUUID(),
      maxSubscriptions = 1024,
      maxSubscriptionsPerOwner = 64,
      maxBehindMs = 30_000,
      keepAliveMs = 15_000,
      ttlMs,
      pollIntervalMs,
      onError,
    } = options;
    requireFunction("owner", owner);
    requireName("holder", holder, "the name of this process");
    this.#onError = reporterOf(onError);
    checkTimes(store, options, "");
    if (store.backend.leases === undefined) {
      throw new TypeError("the backend of the store keeps no leases");
    }
    requireInteger("leaseMs", leaseMs, 100, MAX_TIMER_MS);
    requireInteger("maxSubscriptions", maxSubscriptions, 0);
    requireInteger("maxSubscriptionsPerOwner", maxSubscriptionsPerOwner, 0);
    requireInteger("maxBehindMs", maxBehindMs, 1, MAX_TIMER_MS);
    requireInteger("keepAliveMs", keepAliveMs, 1, MAX_TIMER_MS);
    this.#store = store;
    this.#options = { owner, ttlMs, pollIntervalMs };
    const common = { store, onError: this.#onError };
    this.#runner = new TaskRunner({ ...common, holder, leaseMs });
    this.#listens = new TaskSubscriptions({
      ...common,
      owner,
      maxSubscriptions,
      maxSubscriptionsPerOwner,
      maxBehindMs,
      keepAliveMs,
    });
  }

  /**
   * Lets a server object speak the extension: it declares it and answers
   * `tasks/get`, `tasks/update` and `tasks/cancel`. To be called before the
   * first tool is registered.
   *
   * @throws {Error} If it is attached already, or has tools.
   */
  attach(mcp: McpServerLike): void {
    if (this.#attached.has(mcp)) {
      throw new Error("attach() was called on this server already");
    }
    const { server } = mcp as unknown as InnerMcpServer;
    try {
      server.assertCanSetRequestHandler("tools/call");
    } catch (cause) {
      throw new Error(
        "attach() comes too late: call it before the first registerTool(), and leave capabilities.tools out of the server's options",
        { cause },
      );
    }
    const calls = new ToolCalls({
      create: (tool, ctx, lease) => this.#create(tool, ctx, lease),
      start: (job) => this.#runner.start(job),
      onError: this.#onError,
    });
    this.#attached.set(mcp, calls);
    server.registerCapabilities({ extensions: { [TASKS_EXTENSION]: {} } });
    const methods = taskMethods({
      store: this.#store,
      owner: this.#options.owner,
      onError: this.#onError,
    });
    for (const [name, handler] of Object.entries(methods)) {
      server.setRequestHandler(name, { params: ANYTHING }, handler);
    }
    // The SDK sets its handler of tools/call with the first tool.
    const set = server.setRequestHandler.bind(server);
    server.setRequestHandler = (method, ...rest) => {
      if (method === "tools/call" && typeof rest[0] === "function") {
        set(method, calls.wrapHandler(rest[0] as ToolCallHandler));
      } else set(method, ...rest);
    };
  }

  /**
   * Registers a tool that may become a task. It becomes one for every client
   * that knows tasks, except where `answer` answers the request at once.
   *
   * @param mcp The server object, attached.
   * @param name The tool's name.
   * @param config What the SDK's own `registerTool` takes, and what concerns tasks.
   * @param handler The work.
   * @returns What the SDK's own `registerTool` returns.
   * @throws {Error} If the server object is not attached.
   * @throws {RangeError} If `task` or a time of `config` is out of its range.
   * @throws {TypeError} If `handler` or `config.answer` is no function.
   */
  registerTool<Server extends McpServerLike, Input = undefined>(
    mcp: Server,
    name: string,
    config: TaskToolConfig<Input>,
    handler: TaskToolHandler<ArgumentsOf<Input>>,
  ): ReturnType<Server["registerTool"]> {
    const calls = this.#attached.get(mcp);
    if (calls === undefined) {
      throw new Error(
        `registerTool(${JSON.stringify(name)}): call attach() first`,
      );
    }
    const of = ` of tool ${quoted(name)}`;
    const { task, ttlMs: _, pollIntervalMs: __, answer, ...own } = config;
    if (task !== "optional" && task !== "required") {
      throw new RangeError(
        `task${of} is ${quoted(task)}: expected "optional" or "required"`,
      );
    }
    checkTimes(this.#store, config, of);
    requireCallback(`answer${of}`, answer);
    requireFunction(`the handler${of}`, handler);
    const callback = calls.add({
      name,
      // A copy: it is used as it was when it was checked.
      config: { ...config } as TaskToolConfig<unknown>,
      handler: handler as TaskToolHandler<unknown>,
    });
    return (mcp as unknown as InnerMcpServer)
      .registerTool(name, own, callback) as ReturnType<Server["registerTool"]>;
  }

  /**
   * Puts `subscriptions/listen` with `taskIds` in front of a handler made by
   * `createMcpHandler`. Everything else goes to the handler as it is, and what
   * the handler itself sends on such a stream is sent along with the tasks.
   */
  fetch(handler: McpHandlerLike): McpFetch {
    return this.#listens.wrapFetch(handler);
  }

  /**
   * Ends what runs in this process, before it ends itself: no new tasks are
   * begun, those that run may finish until the time is over, the others are
   * failed with a message that names tool and task, and the signals of their
   * handlers abort. New streams of `subscriptions/listen` are refused with 503
   * and `Retry-After`, those that are open are ended last: each client has a
   * second more to read the latest state of its tasks. The store stays open.
   *
   * @throws {RangeError} If `timeoutMs` is out of its range.
   */
  async drain(options: DrainOptions = {}): Promise<DrainResult> {
    const { timeoutMs } = options;
    if (timeoutMs !== undefined) {
      requireInteger("timeoutMs", timeoutMs, 0, MAX_TIMER_MS);
    }
    this.#listens.refuseNew();
    const result = await this.#runner.drain(options);
    await this.#listens.endAll();
    return result;
  }

  async #create(
    { config }: TaskTool,
    ctx: ToolCallContext,
    lease: LeaseOptions,
  ) {
    const { owner, ttlMs, pollIntervalMs } = this.#options;
    const ownerId = await resolveOwner(owner, ctx);
    return await this.#store.create(ownerId, "tools/call", {
      ttlMs: config.ttlMs === undefined ? ttlMs : config.ttlMs,
      pollIntervalMs: config.pollIntervalMs ?? pollIntervalMs,
      lease,
    });
  }
}

/** Checks the times of new tasks; for a tool, `of` names it. */
function checkTimes(
  { limits }: TaskStore,
  { ttlMs, pollIntervalMs }: {
    readonly ttlMs?: number | null | undefined;
    readonly pollIntervalMs?: number | undefined;
  },
  of: string,
): void {
  if (ttlMs !== undefined) requireTtl(`ttlMs${of}`, ttlMs, limits);
  if (pollIntervalMs !== undefined) {
    requireInteger(`pollIntervalMs${of}`, pollIntervalMs, 1);
  }
}

/** The params of our methods: each checks its own. */
const ANYTHING: SchemaLike = {
  "~standard": Object.assign(
    { validate: (value: unknown) => ({ value }) },
    { version: 1, vendor: "mcp-tasks-redis" },
  ),
};
