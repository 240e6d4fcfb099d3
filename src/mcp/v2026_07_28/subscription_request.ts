/** Finds, among all HTTP requests, those that want to listen to tasks. */

import type { McpFetchOptions } from "./sdk.ts";
import { asObject, declaresTasks } from "./wire.ts";

/** The method that opens a stream of notifications. */
export const LISTEN = "subscriptions/listen";

/** The most bytes such a request may have; larger ones are answered with 413. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** The most characters of its id: every note of its stream repeats it. */
export const MAX_ID_CHARS = 256;

/** A request to listen to tasks. */
export interface ListenRequest {
  /** The id of the request and of the subscription. */
  readonly id: string | number;
  /** The tasks, not checked yet. */
  readonly taskIds: unknown;
  /** Whether the client knows the extension. */
  readonly declared: boolean;
}

/** A request of HTTP, once it is known what it is. */
export type ReadRequest =
  | { readonly kind: "too large" | "unreadable" | "id too long" }
  | {
    readonly kind: "listen";
    readonly listen: ListenRequest;
    readonly options: McpFetchOptions;
  }
  /** All others are the SDK's alone, as they are here: a body is read once. */
  | {
    readonly kind: "other";
    readonly request: Request;
    readonly options: McpFetchOptions | undefined;
  };

/** Reads a request as far as it takes to know whether it listens to tasks. */
export async function readRequest(
  request: Request,
  options: McpFetchOptions | undefined,
): Promise<ReadRequest> {
  const other = { kind: "other", request, options } as const;
  // The SDK refuses requests whose header does not name their method.
  if (request.headers.get("mcp-method")?.trim() !== LISTEN) return other;
  let parsedBody = options?.parsedBody;
  if (parsedBody === undefined) {
    if (request.body === null || request.bodyUsed) return other;
    let text: string | undefined;
    try {
      text = await readText(request);
    } catch {
      // Its sender has left in the middle of it.
      return { kind: "unreadable" };
    }
    if (text === undefined) return { kind: "too large" };
    try {
      parsedBody = JSON.parse(text);
    } catch {
      // The SDK says what is wrong with it.
      return { ...other, request: new Request(request, { body: text }) };
    }
  }
  const parsed = { ...options, parsedBody };
  const listen = listenOf(parsedBody);
  if (typeof listen?.id === "string" && listen.id.length > MAX_ID_CHARS) {
    return { kind: "id too long" };
  }
  return listen === undefined
    ? { ...other, options: parsed }
    : { kind: "listen", listen, options: parsed };
}

/** The request, if it names tasks. */
function listenOf(parsedBody: unknown): ListenRequest | undefined {
  const body = asObject(parsedBody);
  const params = asObject(body?.params);
  const taskIds = asObject(params?.notifications)?.taskIds;
  const id = body?.id;
  if (taskIds === undefined || body?.method !== LISTEN) return undefined;
  if (typeof id !== "string" && typeof id !== "number") return undefined;
  return { id, taskIds, declared: declaresTasks(asObject(params?._meta)) };
}

/** Reads the body; `undefined` if it is too large, of which no more is read. */
async function readText(request: Request): Promise<string | undefined> {
  if (Number(request.headers.get("content-length")) > MAX_BODY_BYTES) {
    void request.body!.cancel().catch(() => {});
    return undefined;
  }
  const reader = request.body!.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > MAX_BODY_BYTES) {
      // Not waited for: the sender may never end.
      void reader.cancel().catch(() => {});
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
