/**
 * The values that `@modelcontextprotocol/sdk` 1.24 to 1.32 hands to a task store and a message
 * queue and takes from them, by shape. The SDK itself is never imported, not
 * even for its types; a test compares both.
 *
 * @module
 */

/** The id of a JSON-RPC request. */
export type SdkRequestId = string | number;

/** `_meta` of params and results. */
export interface SdkMeta {
  /** Asks for progress notifications under this token. */
  progressToken?: string | number | undefined;
  /** The task the message belongs to. */
  "io.modelcontextprotocol/related-task"?: { taskId: string } | undefined;
  /** Anything else. */
  [key: string]: unknown;
}

/** Params of a request or notification. */
export interface SdkParams {
  /** About the message itself. */
  _meta?: SdkMeta | undefined;
  /** The params. */
  [key: string]: unknown;
}

/** The result of a request, such as `{ content: [] }`. */
export interface SdkResult {
  /** About the result itself. */
  _meta?: SdkMeta | undefined;
  /** The result. */
  [key: string]: unknown;
}

/** A request as the SDK shows it to its task store. */
export interface SdkRequest {
  /** The MCP method, such as `tools/call`. */
  readonly method: string;
  /** Its params. */
  readonly params?: unknown;
}

/** A tool's wishes for a new task. */
export interface SdkCreateTaskOptions {
  /** The time the task shall be kept, in milliseconds; `null`: indefinitely. */
  readonly ttl?: number | null | undefined;
  /** The time a client should wait between two looks, in milliseconds. */
  readonly pollInterval?: number | undefined;
  /** Further values the store shall keep with the task. */
  readonly context?: Record<string, unknown> | undefined;
}

/** A message that waits until its task's client asks for the result. */
export type SdkQueuedMessage =
  | {
    /** A request of the server's, such as `elicitation/create`. */
    type: "request";
    /** When it was queued, in epoch milliseconds. */
    timestamp: number;
    /** The message itself. */
    message: {
      jsonrpc: "2.0";
      id: SdkRequestId;
      method: string;
      params?: SdkParams | undefined;
    };
  }
  | {
    /** A notification of the server's. */
    type: "notification";
    /** When it was queued, in epoch milliseconds. */
    timestamp: number;
    /** The message itself. */
    message: {
      jsonrpc: "2.0";
      method: string;
      params?: SdkParams | undefined;
    };
  }
  | {
    /** The answer to a request of the client's that belongs to the task. */
    type: "response";
    /** When it was queued, in epoch milliseconds. */
    timestamp: number;
    /** The message itself. */
    message: { jsonrpc: "2.0"; id: SdkRequestId; result: SdkResult };
  }
  | {
    /** The error such a request was answered with. */
    type: "error";
    /** When it was queued, in epoch milliseconds. */
    timestamp: number;
    /** The message itself. */
    message: {
      jsonrpc: "2.0";
      id?: SdkRequestId | undefined;
      error: { code: number; message: string; data?: unknown };
    };
  };
