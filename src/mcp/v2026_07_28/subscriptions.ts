/**
 * `subscriptions/listen` with `taskIds`, in front of the SDK's handler, which
 * knows its other subscriptions but no tasks: one stream carries both.
 *
 * @module
 */

import { InvalidDataError } from "../../storage/errors.ts";
import { TaskNotFoundError, TaskStorageError } from "../../task/errors.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { INVALID_PARAMS, RpcError } from "../client_errors.ts";
import { resolveOwner } from "../owner.ts";
import { quoted } from "../../task/quoted.ts";
import { isTaskId } from "../task_id.ts";
import {
  idTooLong,
  refused,
  shuttingDown,
  SubscriptionLimitError,
  tooLarge,
  unreadable,
} from "./listen_answers.ts";
import { ListenStream } from "./listen_stream.ts";
import { findTasks } from "./lookups.ts";
import type {
  McpFetch,
  McpFetchOptions,
  McpHandlerLike,
  RequestContext,
} from "./sdk.ts";
import { readMessages } from "./sse.ts";
import {
  LISTEN,
  type ListenRequest,
  readRequest,
} from "./subscription_request.ts";
import {
  type Slot,
  type SlotLimits,
  SubscriptionSlots,
} from "./subscription_slots.ts";
import { TaskFeeds } from "./task_feeds.ts";
import { asObject, SUBSCRIPTION_ID, tasksNotDeclared } from "./wire.ts";

const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";

/** The most task ids of one request. */
const MAX_TASK_IDS = 1000;

/** The time streams have to send what is noted when all are ended. */
const GRACE_MS = 1000;

/** The parts that listening needs. */
export interface ListenOptions extends SlotLimits {
  readonly store: TaskStore;
  readonly owner: (ctx: RequestContext) => string | Promise<string>;
  readonly maxBehindMs: number;
  readonly keepAliveMs: number;
  readonly onError: (error: unknown) => void;
}

/** An open stream, and what its end is answered with. */
interface OpenListen {
  readonly stream: ListenStream;
  result: Record<string, unknown>;
}

/** The tasks one request listens to. */
interface Subscription {
  readonly id: string | number;
  readonly taskIds: readonly string[];
  readonly owner: string;
  readonly slot: Slot;
}

/** The streams of one extension. */
export class TaskSubscriptions {
  readonly #options: ListenOptions;
  readonly #feeds: TaskFeeds;
  readonly #slots: SubscriptionSlots;
  readonly #open = new Set<OpenListen>();
  /** Ends the requests that are not answered yet. */
  readonly #underWay = new Set<AbortController>();
  #draining = false;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#feeds = new TaskFeeds(options);
    this.#slots = new SubscriptionSlots(options);
  }

  /** Puts the tasks in front of a handler. */
  wrapFetch(handler: McpHandlerLike): McpFetch {
    return async (request, options) => {
      const read = await readRequest(request, options);
      switch (read.kind) {
        case "too large":
          return tooLarge();
        case "unreadable":
          return unreadable();
        case "id too long":
          return idTooLong();
        case "other":
          return await handler.fetch(read.request, read.options);
        case "listen":
          return await this.#listen(
            handler,
            request,
            read.listen,
            read.options,
          );
      }
    };
  }

  /** Refuses streams from now on, those under way included. */
  refuseNew(): void {
    this.#draining = true;
    for (const stop of this.#underWay) stop.abort();
  }

  /** Ends every stream, and says so to its client. */
  async endAll(): Promise<void> {
    this.refuseNew();
    await Promise.all(
      [...this.#open].map(({ stream, result }) =>
        stream.finish(result, GRACE_MS)
      ),
    );
  }

  /** Answers a request to listen; its place is freed whatever becomes of it. */
  async #listen(
    handler: McpHandlerLike,
    request: Request,
    listen: ListenRequest,
    options: McpFetchOptions,
  ): Promise<Response> {
    if (this.#draining) return shuttingDown(listen.id);
    const slot = this.#slots.take();
    if (slot === undefined) {
      const { maxSubscriptions } = this.#options;
      const which = `maxSubscriptions is ${maxSubscriptions}`;
      return refused(
        listen.id,
        new SubscriptionLimitError(which),
        this.#options.onError,
      );
    }
    // Aborts when no one waits for the answer: the client has left, or a drain.
    const stop = new AbortController();
    const { signal } = stop;
    const clientLeft = () => stop.abort();
    request.signal.addEventListener("abort", clientLeft);
    if (request.signal.aborted) clientLeft();
    this.#underWay.add(stop);
    let isServed = false;
    let inner: ReadableStream<Uint8Array> | null = null;
    try {
      const answering = handler.fetch(request, options);
      const response = await untilAborted(answering, signal);
      if (response === undefined) {
        cancelLate(answering);
        return this.#ended(listen.id, request.signal);
      }
      const isStream = response.ok &&
        response.headers.get("content-type")?.startsWith("text/event-stream");
      if (!isStream || response.body === null) return response;
      inner = response.body;
      const granted = await untilAborted(
        this.#authorize(listen, slot, { req: request, signal }, options),
        signal,
      );
      if (granted === undefined || signal.aborted) {
        return this.#ended(listen.id, request.signal);
      }
      const { taskIds, owner } = granted;
      isServed = true;
      return this.#serve({ id: listen.id, taskIds, owner, slot }, {
        body: inner,
        headers: response.headers,
        signal: request.signal,
      });
    } catch (error) {
      return refused(listen.id, error, this.#options.onError);
    } finally {
      this.#underWay.delete(stop);
      request.signal.removeEventListener("abort", clientLeft);
      if (!isServed) {
        slot.release();
        void inner?.cancel().catch(() => {});
      }
    }
  }

  /** The answer to a request that was ended before it was granted. */
  #ended(id: string | number, { aborted }: AbortSignal): Response {
    return aborted || !this.#draining
      ? new Response(null, { status: 499 })
      : shuttingDown(id);
  }

  /** Which of the tasks the sender may see; all others are as if they were not. */
  async #authorize(
    { taskIds, declared }: ListenRequest,
    slot: Slot,
    { req, signal }: { req: Request; signal: AbortSignal },
    { authInfo }: McpFetchOptions,
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
    const owner = await resolveOwner(this.#options.owner, {
      http: { req, ...(authInfo ? { authInfo } : {}) },
    });
    if (!slot.assign(owner)) {
      const { maxSubscriptionsPerOwner: max } = this.#options;
      throw new SubscriptionLimitError(
        `maxSubscriptionsPerOwner is ${max}, and ${quoted(owner)} has as many`,
      );
    }
    const isThere = (taskId: string) => this.#isThere(taskId, owner);
    return { taskIds: await findTasks(taskIds, isThere, signal), owner };
  }

  async #isThere(taskId: string, owner: string): Promise<boolean> {
    if (!isTaskId(taskId)) return false;
    if (this.#feeds.has(taskId, owner)) return true;
    try {
      await this.#options.store.get(taskId, owner);
      return true;
    } catch (error) {
      if (error instanceof TaskNotFoundError) return false;
      if (!isDamaged(error)) throw error;
      // As in lists: it spoils no other.
      this.#options.onError(error);
      return false;
    }
  }

  #serve(
    subscription: Subscription,
    inner: {
      body: ReadableStream<Uint8Array>;
      headers: Headers;
      signal: AbortSignal;
    },
  ): Response {
    const { id, slot } = subscription;
    const { maxBehindMs, keepAliveMs } = this.#options;
    const leaves: (() => void)[] = [];
    const stream = new ListenStream({
      id,
      maxBehindMs,
      onEnd: () => {
        slot.release();
        clearInterval(timer);
        inner.signal.removeEventListener("abort", clientLeft);
        this.#open.delete(listen);
        for (const leave of leaves) leave();
      },
    });
    const listen: OpenListen = {
      stream,
      result: {
        jsonrpc: "2.0",
        id,
        result: { resultType: "complete", _meta: { [SUBSCRIPTION_ID]: id } },
      },
    };
    const timer = setInterval(() => stream.keepAlive(), keepAliveMs);
    const clientLeft = () => stream.end();
    inner.signal.addEventListener("abort", clientLeft);
    this.#open.add(listen);
    this.#relay(listen, subscription, inner.body, leaves).catch((error) => {
      this.#options.onError(error);
      stream.end();
    });
    return new Response(stream.readable, { headers: inner.headers });
  }

  /** Hands on what the SDK's handler sends, the tasks added to its first message. */
  async #relay(
    listen: OpenListen,
    { taskIds, owner }: Subscription,
    body: ReadableStream<Uint8Array>,
    leaves: (() => void)[],
  ): Promise<void> {
    const { stream } = listen;
    let hasOthers = false;
    const isOver = () => hasOthers || taskIds.length === 0;
    for await (const message of readMessages(body, stream.ended)) {
      const params = asObject(message.params);
      if (message.method === ACKNOWLEDGED && params !== undefined) {
        const others = asObject(params.notifications) ?? {};
        hasOthers = Object.keys(others).length > 0;
        await stream.send({
          ...message,
          params: { ...params, notifications: { ...others, taskIds } },
        });
        const listener = {
          note: stream.note,
          // Mute, it would look as if nothing happened: so it listens again.
          fail: () => void stream.finish(listen.result, GRACE_MS),
        };
        for (const taskId of taskIds) {
          if (stream.ended.aborted) return;
          leaves.push(this.#feeds.join(taskId, owner, listener));
        }
      } else if (message.result !== undefined) {
        // The handler ends a stream it has nothing to send on; tasks remain.
        listen.result = message;
        if (isOver()) await stream.finish(message, GRACE_MS);
      } else {
        await stream.send(message);
      }
    }
    if (isOver()) stream.end();
  }
}

/** Resolves to `undefined` as soon as the signal aborts, whatever the work does. */
async function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    signal.addEventListener("abort", onAbort);
  });
  try {
    const granted = await Promise.race([
      signal.aborted ? undefined : work,
      aborted,
    ]);
    // It may have left in the same moment.
    return signal.aborted ? undefined : granted;
  } finally {
    signal.removeEventListener("abort", onAbort!);
    // Of a client that has left, no one wants to know.
    work.catch(() => {});
  }
}

/** Whether a task is there that cannot be read: damaged, or of another key. */
function isDamaged(error: unknown): boolean {
  return error instanceof TaskStorageError &&
    error.cause instanceof InvalidDataError;
}

/** Ends the stream of an answer that no one waits for, if one comes. */
function cancelLate(answering: Promise<Response>): void {
  answering.then(({ body }) => body?.cancel()).catch(() => {});
}
