/** Finds, among all HTTP requests, those that want to listen to tasks. */

import { asObject, declaresTasks } from "./wire.ts";

/** The method that opens a stream of notifications. */
export const LISTEN = "subscriptions/listen";

/** The most bytes such a request may have; larger ones are the SDK's alone. */
const MAX_BODY_BYTES = 1024 * 1024;

/** A request to listen to tasks. */
export interface ListenRequest {
  /** The id of the request and of the subscription. */
  readonly id: string | number;
  /** The tasks, not checked yet. */
  readonly taskIds: unknown;
  /** Whether the client knows the extension. */
  readonly declared: boolean;
}

/** The request, if it names tasks; all others are the SDK's alone. */
export async function readListen(
  request: Request,
  parsedBody: unknown,
): Promise<ListenRequest | undefined> {
  // The SDK refuses requests whose header does not name their method.
  if (request.headers.get("mcp-method")?.trim() !== LISTEN) return undefined;
  const body = asObject(
    parsedBody === undefined ? await readJson(request) : parsedBody,
  );
  const params = asObject(body?.params);
  const taskIds = asObject(params?.notifications)?.taskIds;
  const id = body?.id;
  if (taskIds === undefined || body?.method !== LISTEN) return undefined;
  if (typeof id !== "string" && typeof id !== "number") return undefined;
  return { id, taskIds, declared: declaresTasks(asObject(params?._meta)) };
}

/** The body of a copy: the request itself stays readable. */
async function readJson(request: Request): Promise<unknown> {
  const reader = request.clone().body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let bytes = 0; reader !== undefined && bytes <= MAX_BODY_BYTES;) {
    const { done, value } = await reader.read();
    if (done) {
      try {
        return JSON.parse(text + decoder.decode());
      } catch {
        return undefined;
      }
    }
    bytes += value.length;
    text += decoder.decode(value, { stream: true });
  }
  await reader?.cancel();
  return undefined;
}
