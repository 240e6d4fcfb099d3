/**
 * The parts of `@modelcontextprotocol/server` that this library needs, described by their
 * shape: importing us loads no SDK.
 *
 * @module
 */

import type { AuthInfoLike } from "../owner.ts";

/** The known sender of a request: the SDK's context, or a part of it. */
export interface RequestContext {
  /** The session of the transport, if it has one. */
  readonly sessionId?: string;
  /** The HTTP request. */
  readonly http?: {
    /** The sender, as given to `fetch(request, { authInfo })`. */
    readonly authInfo?: AuthInfoLike;
    /** The request itself. */
    readonly req?: Request;
  };
}

/** The SDK's context of a `tools/call`. */
export interface ToolCallContext extends RequestContext {
  /** The JSON-RPC request. */
  readonly mcpReq: {
    /** The request's id. */
    readonly id: string | number;
    /** Aborts when the caller leaves, and with the end of the response. */
    readonly signal: AbortSignal;
    /** The request's statement about its client. */
    readonly envelope?: Readonly<Record<string, unknown>>;
    /** The client's answers in a round before a task was made. */
    readonly inputResponses?: Readonly<Record<string, unknown>>;
  };
}

/** An `McpServer` of `@modelcontextprotocol/server`, 2.3 or later. */
export interface McpServerLike {
  /** The server underneath. */
  readonly server: {
    /** Adds what the server can. */
    registerCapabilities(...args: never[]): void;
    /** Answers the requests of a method. */
    setRequestHandler(...args: never[]): void;
    /** Throws if the method has a handler already. */
    assertCanSetRequestHandler(...args: never[]): void;
  };
  /** Adds a tool. */
  registerTool(...args: never[]): unknown;
}

/** The part of `createMcpHandler`'s result that is needed. */
export interface McpHandlerLike {
  /** Answers a request. */
  fetch(request: Request, options?: McpFetchOptions): Promise<Response>;
}

/** The options of a request. */
export interface McpFetchOptions {
  /** The sender, if you have checked that. */
  readonly authInfo?: AuthInfoLike | undefined;
  /** The body, if it has been read and parsed before. */
  readonly parsedBody?: unknown;
}

/** Answers HTTP requests. */
export type McpFetch = (
  request: Request,
  options?: McpFetchOptions,
) => Promise<Response>;

/** A tool's schema: zod 4, `fromJsonSchema` or any other Standard Schema. */
export interface SchemaLike<Output = unknown> {
  /** Standard Schema, as https://standardschema.dev describes it. */
  readonly "~standard": {
    /** Checks a value. */
    readonly validate: (value: unknown) => unknown;
    /** The type of a value once checked; types only. */
    readonly types?: { readonly output: Output } | undefined;
  };
}

/** The request of a `tools/call` handler. */
export interface ToolCallRequest {
  readonly params: { readonly name: string };
}

/** A handler of `tools/call`, as the SDK sets it. */
export type ToolCallHandler = (
  request: ToolCallRequest,
  ctx: ToolCallContext,
) => unknown;

/** The members of an `McpServer` we call, as they really are. */
export interface InnerMcpServer {
  readonly server: {
    registerCapabilities(capabilities: object): void;
    setRequestHandler: (
      method: string,
      ...rest:
        | [handler: ToolCallHandler]
        | [
          schemas: { params: SchemaLike },
          handler: (params: unknown, ctx: ToolCallContext) => unknown,
        ]
    ) => void;
    assertCanSetRequestHandler(method: string): void;
  };
  registerTool(
    name: string,
    config: object,
    callback: (...args: unknown[]) => unknown,
  ): unknown;
}
