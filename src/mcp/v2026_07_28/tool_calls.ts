/**
 * `tools/call` for tools that may become tasks: decides, per request, between
 * a task, a result and an error, around the handler the SDK installs.
 *
 * @module
 */

import type { LeaseOptions } from "../../task/options.ts";
import type { TaskRecord } from "../../task/record.ts";
import { isHidden, messageOf, protocolErrorOf } from "../client_errors.ts";
import { handled } from "../handled.ts";
import { toRpcError } from "./errors.ts";
import type { InputRequest, InputResponse, TaskHandle } from "./handle.ts";
import type { TaskToolResult } from "./outcome.ts";
import type { Job } from "./runner.ts";
import type { SchemaLike, ToolCallContext, ToolCallHandler } from "./sdk.ts";
import {
  capabilitiesOf,
  createTaskResult,
  declaresTasks,
  tasksNotDeclared,
} from "./wire.ts";

/** The type of a tool's arguments, once its schema has checked them. */
export type ArgumentsOf<Input> = Input extends SchemaLike<infer Output> ? Output
  : Readonly<Record<string, unknown>>;

/**
 * The handler of a task tool. What it returns is the result; a protocol error
 * it throws (one with a JSON-RPC code, such as the SDK's `ProtocolError`)
 * fails the task with that error; anything else it throws completes the task
 * with `isError`. It outlives the request: of `ctx`, only what is data may be
 * used later, neither its signal nor its ways to send.
 */
export type TaskToolHandler<Arguments> = (
  args: Arguments,
  handle: TaskHandle,
  ctx: ToolCallContext,
) => TaskToolResult | Promise<TaskToolResult>;

/**
 * A tool that may become a task. Every field but the first four is the SDK's
 * own.
 *
 * @example Small work is answered at once
 * ```ts
 * import type { SchemaLike, TaskToolConfig } from "@mcp-tasks/redis";
 *
 * const config: TaskToolConfig<SchemaLike<{ rows: number }>> = {
 *   task: "optional",
 *   ttlMs: 10 * 60_000,
 *   answer: ({ rows }) =>
 *     rows === 0 ? { content: [{ type: "text", text: "nothing" }] } : undefined,
 * };
 * ```
 */
export interface TaskToolConfig<Input = undefined> {
  /**
   * The answer to a client that does not know tasks: with `"optional"` the result,
   * since the tool runs within the request; with `"required"` error -32021.
   * Clients that know them get a task of either.
   */
  readonly task: "optional" | "required";
  /** A task's life, in milliseconds. Default: as the extension says. */
  readonly ttlMs?: number | null | undefined;
  /** The time between two looks of a client, in milliseconds. Default: as the extension says. */
  readonly pollIntervalMs?: number | undefined;
  /**
   * Called before a task is made: what it returns answers the request, and
   * there is no task; `undefined` makes the task. It serves results that are
   * there at once, and `inputRequired(…)` rounds that come before the work.
   */
  readonly answer?: (
    args: ArgumentsOf<Input>,
    ctx: ToolCallContext,
  ) => TaskToolResult | undefined | Promise<TaskToolResult | undefined>;
  /** A title for people. */
  readonly title?: string;
  /** The tool's handler. */
  readonly description?: string;
  /** The schema of the arguments. */
  readonly inputSchema?: Input;
  /** The schema of `structuredContent`. */
  readonly outputSchema?: SchemaLike;
  /** Hints about the tool. */
  readonly annotations?: object;
  /** Icons. */
  readonly icons?: object[];
  /** Metadata. */
  readonly _meta?: Record<string, unknown>;
}

/** A task tool of one server object. */
export interface TaskTool {
  readonly name: string;
  readonly config: TaskToolConfig<unknown>;
  readonly handler: TaskToolHandler<unknown>;
}

/** The parts that answer the calls of one server object. */
export interface ToolCallsOptions {
  /** Makes a task of the tool for who sent the request. */
  readonly create: (
    tool: TaskTool,
    ctx: ToolCallContext,
    lease: LeaseOptions,
  ) => Promise<TaskRecord>;
  /** Runs it. */
  readonly start: (job: Job) => Promise<TaskRecord>;
  readonly onError: (error: unknown) => void;
}

/** The end of a call, where that is not for the SDK to say. */
type Outcome = { readonly result: unknown } | { readonly error: Error };

/** The task tools of one server object. */
export class ToolCalls {
  readonly #options: ToolCallsOptions;
  readonly #tools = new Map<string, TaskTool>();
  readonly #outcomes = new WeakMap<object, Outcome>();

  constructor(options: ToolCallsOptions) {
    this.#options = options;
  }

  /** Adds a tool; the callback is what the SDK registers in its place. */
  add(tool: TaskTool): (...args: unknown[]) => Promise<unknown> {
    this.#tools.set(tool.name, tool);
    // Without an input schema the SDK calls back with the context alone.
    return (...args) =>
      args.length === 1
        ? this.#call(tool, {}, args[0] as ToolCallContext)
        : this.#call(tool, args[0], args[1] as ToolCallContext);
  }

  /**
   * Wraps the SDK's handler of `tools/call`, which finds the tool, checks its
   * arguments and calls back. It would turn an error into a result, and check
   * a task as if that were one: what must pass by it is kept aside.
   */
  wrapHandler(inner: ToolCallHandler): ToolCallHandler {
    return async (request, ctx) => {
      const tool = this.#tools.get(request.params.name);
      const declared = declaresTasks(ctx.mcpReq.envelope);
      // Before the arguments are checked: whatever they are, it cannot be.
      if (tool?.config.task === "required" && !declared) {
        throw tasksNotDeclared();
      }
      const answer = await inner(request, ctx);
      const outcome = this.#outcomes.get(ctx);
      if (outcome === undefined) return answer;
      if ("error" in outcome) throw outcome.error;
      return outcome.result;
    };
  }

  async #call(
    tool: TaskTool,
    args: unknown,
    ctx: ToolCallContext,
  ): Promise<unknown> {
    const declared = declaresTasks(ctx.mcpReq.envelope);
    // Found by name before; a tool that was renamed was not.
    if (tool.config.task === "required" && !declared) {
      return this.#fail(ctx, tasksNotDeclared());
    }
    try {
      const { answer } = tool.config as { answer?: TaskToolConfig["answer"] };
      const early = await answer?.(args as ArgumentsOf<undefined>, ctx);
      if (early !== undefined) return early;
      if (!declared) {
        return await tool.handler(args, new InlineHandle(ctx), ctx);
      }
    } catch (error) {
      // Thrown in a task it would fail the task: it fails the request here.
      if (protocolErrorOf(error)) return this.#fail(ctx, error);
      if (isHidden(error)) this.#options.onError(error);
      // The SDK would make text of it, which not every object can become.
      throw new Error(messageOf(error), { cause: error });
    }
    try {
      const record = await this.#options.start({
        tool: tool.name,
        capabilities: capabilitiesOf(ctx.mcpReq.envelope),
        outputSchema: tool.config.outputSchema,
        create: (lease) => this.#options.create(tool, ctx, lease),
        answered: () => answered(ctx.mcpReq.signal),
        handler: (handle) => tool.handler(args, handle, ctx),
      });
      this.#outcomes.set(ctx, { result: createTaskResult(record) });
      return {};
    } catch (error) {
      return this.#fail(ctx, error);
    }
  }

  #fail(ctx: ToolCallContext, error: unknown): object {
    const { onError } = this.#options;
    this.#outcomes.set(ctx, { error: toRpcError(error, onError) });
    return {};
  }
}

/** The longest time a handler waits for its task to be handed out. */
const MAX_UNANSWERED_MS = 100;

/**
 * Resolves once the answer to a request was handed to the transport: the SDK
 * then aborts the request's signal, as it does when the client leaves. Over
 * transports where it does not, the answer has its time.
 */
function answered(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      // The transport sends in a later turn than the one it is called in.
      setTimeout(resolve, 0);
    };
    const timer = setTimeout(done, MAX_UNANSWERED_MS);
    if (signal.aborted) done();
    else signal.addEventListener("abort", done);
  });
}

/** The handle of a handler that runs within the request, without a task. */
class InlineHandle implements TaskHandle {
  readonly taskId: undefined = undefined;
  readonly signal: AbortSignal;

  constructor(ctx: ToolCallContext) {
    this.signal = ctx.mcpReq.signal;
  }

  /** Only a task can wait for its client. */
  requestInput<
    Requests extends Readonly<Record<string, InputRequest>>,
  >(): Promise<
    { readonly [Name in keyof Requests]: InputResponse }
  > {
    return handled(Promise.reject(tasksNotDeclared()));
  }

  setStatus(): Promise<void> {
    return Promise.resolve();
  }

  setVariables(): Promise<void> {
    return Promise.resolve();
  }
}
