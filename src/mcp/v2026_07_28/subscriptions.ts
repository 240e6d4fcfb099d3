/**
 * `subscriptions/listen` with `taskIds`, in front of the SDK's handler, which
 * knows its other subscriptions but no tasks: one stream carries both.
 *
 * @module
 */

import { TaskNotFoundError } from "../../task/errors.ts";
import { watchWithRetry } from "../../task/watch_with_retry.ts";
import { isFinalStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import {
  INTERNAL_ERROR,
  INVALID_PARAMS,
  MISSING_CAPABILITY,
  RpcError,
} from "../client_errors.ts";
import { resolveOwner } from "../owner.ts";
import { toRpcError } from "./errors.ts";
import {
  LISTEN,
  type ListenRequest,
  readListen,
} from "./subscription_request.ts";
import type {
  McpFetch,
  McpFetchOptions,
  McpHandlerLike,
  RequestContext,
} from "./sdk.ts";
import { readMessages, SseStream } from "./sse.ts";
import {
  asObject,
  detailedTask,
  SUBSCRIPTION_ID,
  tasksNotDeclared,
} from "./wire.ts";

const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";

/** The most task ids of one request. */
const MAX_TASK_IDS = 1000;

/** What listening needs. */
export interface ListenOptions {
  readonly store: TaskStore;
  readonly owner: (ctx: RequestContext) => string | Promise<string>;
  readonly maxSubscriptions: number;
  readonly keepAliveMs: number;
  readonly onError: (error: unknown) => void;
}

/** An open stream, and what its end is answered with. */
interface OpenListen {
  readonly stream: SseStream;
  result: Record<string, unknown>;
}

/** The streams of one extension. */
export class TaskSubscriptions {
  readonly #options: ListenOptions;
  readonly #open = new Set<OpenListen>();

  constructor(options: ListenOptions) {
    this.#options = options;
  }

  /** Puts the tasks in front of a handler. */
  wrapFetch(handler: McpHandlerLike): McpFetch {
    return async (request, options) => {
      const listen = await readListen(request, options?.parsedBody);
      const response = await handler.fetch(request, options);
      const { body } = response;
      const accepted = response.ok && body !== null &&
        response.headers.get("content-type")?.startsWith("text/event-stream");
      if (listen === undefined || !accepted) return response;
      try {
        const { taskIds, owner } = await this.#authorize(
          listen,
          request,
          options,
        );
        return this.#serve(listen.id, taskIds, owner, {
          body,
          headers: response.headers,
          signal: request.signal,
        });
      } catch (error) {
        await body.cancel().catch(() => {});
        return this.#refuse(listen.id, error);
      }
    };
  }

  /** Ends every stream, and says so to its client. */
  async endAll(): Promise<void> {
    await Promise.all(
      [...this.#open].map(async ({ stream, result }) => {
        const sent = stream.send(result);
        stream.end();
        await sent;
      }),
    );
  }

  /** Which of the tasks the sender may see; all others are as if they were not. */
  async #authorize(
    { taskIds, declared }: ListenRequest,
    req: Request,
    options: McpFetchOptions | undefined,
  ): Promise<{ taskIds: string[]; owner: string }> {
    if (!declared) throw tasksNotDeclared();
    if (
      !Array.isArray(taskIds) || taskIds.length > MAX_TASK_IDS ||
      !taskIds.every((id) => typeof id === "string")
    ) {
      throw new RpcError(
        INVALID_PARAMS,
        `invalid params for ${LISTEN}: taskIds is not an array of at most ${MAX_TASK_IDS} strings`,
      );
    }
    const { store, maxSubscriptions } = this.#options;
    if (this.#open.size >= maxSubscriptions) {
      throw new RpcError(INTERNAL_ERROR, "subscription limit reached");
    }
    const authInfo = options?.authInfo;
    const owner = await resolveOwner(this.#options.owner, {
      http: { req, ...(authInfo ? { authInfo } : {}) },
    });
    const found = await Promise.all(
      [...new Set<string>(taskIds)].map(async (taskId) => {
        try {
          await store.get(taskId, owner);
          return taskId;
        } catch (error) {
          if (error instanceof TaskNotFoundError) return undefined;
          throw error;
        }
      }),
    );
    const known = found.filter((id): id is string => id !== undefined);
    return { taskIds: known, owner };
  }

  #serve(
    id: string | number,
    taskIds: readonly string[],
    owner: string,
    inner: {
      body: ReadableStream<Uint8Array>;
      headers: Headers;
      signal: AbortSignal;
    },
  ): Response {
    const stream = new SseStream();
    const listen: OpenListen = {
      stream,
      result: {
        jsonrpc: "2.0",
        id,
        result: { resultType: "complete", _meta: { [SUBSCRIPTION_ID]: id } },
      },
    };
    const leave = () => stream.end();
    const timer = setInterval(
      () => stream.keepAlive(),
      this.#options.keepAliveMs,
    );
    this.#open.add(listen);
    if (inner.signal.aborted) leave();
    inner.signal.addEventListener("abort", leave);
    stream.ended.addEventListener("abort", () => {
      clearInterval(timer);
      inner.signal.removeEventListener("abort", leave);
      this.#open.delete(listen);
    });
    if (stream.ended.aborted) clearInterval(timer);
    this.#relay(listen, taskIds, owner, inner.body).catch((error) => {
      this.#options.onError(error);
      stream.end();
    });
    return new Response(stream.readable, { headers: inner.headers });
  }

  /** Hands on what the SDK's handler sends, the tasks added to its first message. */
  async #relay(
    listen: OpenListen,
    taskIds: readonly string[],
    owner: string,
    body: ReadableStream<Uint8Array>,
  ): Promise<void> {
    const { stream } = listen;
    let hasOthers = false;
    for await (const message of readMessages(body, stream.ended)) {
      const params = asObject(message.params);
      if (message.method === ACKNOWLEDGED && params !== undefined) {
        const others = asObject(params.notifications) ?? {};
        hasOthers = Object.keys(others).length > 0;
        await stream.send({
          ...message,
          params: { ...params, notifications: { ...others, taskIds } },
        });
        for (const taskId of taskIds) {
          stream.during((ended) => this.#notify(listen, taskId, owner, ended));
        }
      } else if (message.result !== undefined) {
        // The handler ends a stream it has nothing to send on; tasks remain.
        listen.result = message;
        if (hasOthers || taskIds.length === 0) await stream.send(message);
      } else {
        await stream.send(message);
      }
    }
    if (hasOthers || taskIds.length === 0) stream.end();
  }

  /** Sends a task as it is and at every change, until it has ended. */
  async #notify(
    { stream, result }: OpenListen,
    taskId: string,
    owner: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, onError } = this.#options;
    let last = "";
    try {
      const versions = watchWithRetry(
        () => store.watch(taskId, owner, { signal }),
        { signal, onError },
      );
      for await (const record of versions) {
        const task = detailedTask(record);
        // A change of what clients do not see is a new version, but no news.
        const text = JSON.stringify(task);
        if (text !== last) {
          last = text;
          await stream.send({
            jsonrpc: "2.0",
            method: "notifications/tasks",
            params: { ...task, _meta: { [SUBSCRIPTION_ID]: result.id } },
          });
        }
        if (isFinalStatus(record.task.status)) return;
      }
    } catch (error) {
      // The client has left, or the task is no more: no word is missed.
      if (signal.aborted || error instanceof TaskNotFoundError) return;
      onError(error);
    }
  }

  #refuse(id: string | number, thrown: unknown): Response {
    const shown = toRpcError(thrown, this.#options.onError);
    const { code = INTERNAL_ERROR, data } = shown as {
      code?: unknown;
      data?: unknown;
    };
    return Response.json(
      {
        jsonrpc: "2.0",
        id,
        error: {
          code: Number.isSafeInteger(code) ? code : INTERNAL_ERROR,
          message: shown.message,
          ...(data === undefined ? {} : { data }),
        },
      },
      // The one error that the protocol gives a status of its own.
      { status: code === MISSING_CAPABILITY ? 400 : 200 },
    );
  }
}
