/**
 * The `TaskMessageQueue` of `@modelcontextprotocol/sdk` 1.24 to 1.32 on our
 * queues.
 *
 * @module
 */

import { requireInteger } from "../../storage/checks.ts";
import { InvalidDataError } from "../../storage/errors.ts";
import { makeKey } from "../../storage/keys.ts";
import {
  DEFAULT_QUEUE_TTL_MS,
  type MessageQueue,
  QueueFullError,
} from "../../storage/message_queue.ts";
import { AnonymousOwnerError } from "../../task/errors.ts";
import { MAX_DURATION_MS } from "../../task/limits.ts";
import { SealedQueue } from "../../task/sealed_queue.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { report, reporterOf } from "../client_errors.ts";
import { quoted } from "../../task/quoted.ts";
import { isTaskId, requireTaskId } from "../task_id.ts";
import { shownError } from "./errors.ts";
import { CallOwner, type SdkOwnerOptions } from "./owner.ts";
import { requireNoForeignQuestion } from "./other_era.ts";
import { taskOwnersOf } from "./task_owners.ts";
import type { SdkQueuedMessage } from "./types.ts";

/** Options of an {@linkcode SdkTaskMessageQueue}. */
export interface SdkTaskMessageQueueOptions extends SdkOwnerOptions {
  /**
   * The time messages wait whose task has no end or is not there, in
   * milliseconds. Default: 1 hour. All others wait as long as their task.
   */
  readonly ttlMs?: number | undefined;
  /**
   * Called with what clients are not shown: failures of the storage, messages
   * that cannot be read, pushes without an owner. What it throws is ignored.
   * Default: none.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** The parts of a queue. */
interface Parts {
  readonly queues: MessageQueue;
  readonly options: {
    readonly ttlMs: number;
    readonly onError: (error: unknown) => void;
  };
  readonly owner: CallOwner;
  /** The tasks the messages are for, once a store of the SDK's has them. */
  readonly tasks: () => TaskStore | undefined;
}

/** Not private fields: a bound queue is no instance that was constructed. */
const partsOf = new WeakMap<SdkTaskMessageQueue, Parts>();

/**
 * A `TaskMessageQueue` for the MCP SDK v1: the messages of a task, in the
 * backend its task is kept in, one queue for all instances.
 *
 * Messages are delivered at most once. They are kept per owner: give it the
 * owner options that the `SdkTaskStore` beside it has, or bind both with
 * `forOwner`. A message that is pushed without a session, as SDK 1.24 to 1.31
 * do, goes to the owner of its task, where the `SdkTaskStore` of this process
 * on the same backend has made or read that task.
 *
 * A failure of the storage is one sentence to the caller, `TaskStorageError`,
 * with what the storage said as its `cause`; `onError` is called with the
 * whole.
 *
 * @example
 * ```ts
 * import { createTaskStore, SdkTaskMessageQueue } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using tasks = await createTaskStore(); // memory; { url } for Redis
 * const queue = new SdkTaskMessageQueue(tasks.queues!).forOwner("alice");
 * await queue.enqueue("t-1", {
 *   type: "notification",
 *   timestamp: Date.now(),
 *   message: { jsonrpc: "2.0", method: "notifications/message" },
 * });
 * assertEquals((await queue.dequeue("t-1"))?.type, "notification");
 * assertEquals(await queue.dequeue("t-1"), undefined);
 * ```
 */
export class SdkTaskMessageQueue {
  /**
   * A queue whose owners are found by session, until it is bound.
   *
   * @param queues The queues of a store, `store.queues`, which seals messages
   * where encryption is on; or those of a backend, `backend.queues`.
   * @param options How owners are found, and what else is not the default.
   * @throws {RangeError} If `ttlMs` is not an integer from 1.
   * @throws {TypeError} If there are no `queues`, `resolveOwner` or `onError`
   * is no function, or `defaultOwner` no text.
   */
  constructor(queues: MessageQueue, options: SdkTaskMessageQueueOptions = {}) {
    if (typeof queues?.push !== "function") {
      throw new TypeError(
        `queues is ${
          quoted(queues)
        }: expected the queues of a store, store.queues`,
      );
    }
    const { ttlMs = DEFAULT_QUEUE_TTL_MS } = options;
    requireInteger("ttlMs", ttlMs, 1, MAX_DURATION_MS);
    const onError = reporterOf(options.onError);
    const known = taskOwnersOf(queues);
    // A store may be made after its queue.
    const tasks = () => known.storeOf(queues);
    const owner = new CallOwner(
      options,
      known,
      () => known.unnamedOf(tasks()),
    );
    partsOf.set(this, {
      queues: queues instanceof SealedQueue
        ? queues.reportingTo(onError)
        : queues,
      options: { ttlMs, onError },
      owner,
      tasks,
    });
  }

  /**
   * Returns the same queue for one authenticated identity, whatever the
   * session; of a subclass, as `SdkTaskStore.forOwner` does.
   *
   * @param identity The owner of the messages, as the authentication says.
   * @throws {TypeError} If it is empty, not a text, or `"local"`.
   */
  forOwner(identity: string): this {
    const parts = partsOf.get(this)!;
    const bound: this = Object.create(this);
    partsOf.set(bound, { ...parts, owner: parts.owner.bind(identity) });
    return bound;
  }

  /**
   * Appends a message. The check for `maxSize` and the append are one step.
   *
   * @throws {Error} `Task message queue overflow: …`, if the queue is full.
   * @throws {TaskNotFoundError} If the id is none of a task: empty, over 1,024
   * characters, or with a lone surrogate.
   * @throws {AnonymousOwnerError} On a server with sessions, if neither the
   * call nor what this process knows of the task says an owner: the message
   * would never be read.
   * @throws {TaskStorageError} If the storage fails.
   */
  async enqueue(
    taskId: string,
    message: SdkQueuedMessage,
    sessionId?: string,
    maxSize?: number,
  ): Promise<void> {
    const { queues, options, owner } = partsOf.get(this)!;
    try {
      requireTaskId(taskId);
      const key = makeKey(await owner.ofPusher(taskId, sessionId), taskId);
      await queues.push(key, JSON.stringify(message), {
        maxLength: maxLengthOf(maxSize),
        ttlMs: options.ttlMs,
      });
    } catch (error) {
      if (!(error instanceof QueueFullError)) {
        throw shownError(options.onError, error);
      }
      throw new Error(
        `Task message queue overflow: queue size (${error.length}) exceeds maximum (${maxSize})`,
        { cause: error },
      );
    }
  }

  /**
   * Removes the first message and returns it; `undefined` if there is none. A
   * message that cannot be read is reported to `onError` and skipped.
   *
   * @throws {TaskError} If there is none, and the task waits for input of a
   * client of MCP 2026-07-28: the SDK, which asks before it waits for a result,
   * would wait in vain. An `SdkTaskStore` on the same backend is needed for it.
   * @throws {TaskStorageError} If the storage fails; where the `outcome` of
   * its `cause` is `"unknown"`, the message may be lost.
   */
  async dequeue(
    taskId: string,
    sessionId?: string,
  ): Promise<SdkQueuedMessage | undefined> {
    const { queues, options, owner, tasks } = partsOf.get(this)!;
    if (!isTaskId(taskId)) return undefined;
    try {
      const ownerId = await owner.ofReader(sessionId);
      const key = keyFor(ownerId, taskId);
      for (;;) {
        const text = await queues.shift(key);
        if (text === undefined) {
          const store = tasks();
          if (store !== undefined) {
            await requireNoForeignQuestion(store, taskId, ownerId);
          }
          return undefined;
        }
        const message = parseMessage(key, text, options);
        if (message !== undefined) return message;
      }
    } catch (error) {
      throw shownError(options.onError, error);
    }
  }

  /**
   * Removes all messages in one step and returns them, in order, without those
   * that cannot be read.
   *
   * It never rejects: the SDK does not wait for it when a task ends, and a
   * rejection that is not waited for would end the process. A failure goes to
   * `onError`, and the answer is empty.
   */
  async dequeueAll(
    taskId: string,
    sessionId?: string,
  ): Promise<SdkQueuedMessage[]> {
    const { queues, options, owner } = partsOf.get(this)!;
    try {
      requireTaskId(taskId);
      // SDK 1.24 to 1.31 name no session here, after they have read the task
      // for the session; nothing of the answer is sent to a client.
      const key = keyFor(await owner.ofWriter(taskId, sessionId), taskId);
      const texts = await queues.drain(key);
      return texts.map((text) => parseMessage(key, text, options))
        .filter((message) => message !== undefined);
    } catch (error) {
      report(options.onError, error);
      return [];
    }
  }
}

function keyFor(owner: string, taskId: string): string {
  if (owner === "") throw new AnonymousOwnerError(owner);
  return makeKey(owner, taskId);
}

/** The SDK compares with any number; none at all is no bound. */
function maxLengthOf(maxSize: number | undefined): number | undefined {
  return Number.isFinite(maxSize)
    ? Math.max(0, Math.ceil(maxSize!))
    : undefined;
}

/** Reads a message; reports it and returns `undefined` if it is none. */
function parseMessage(
  key: string,
  text: string,
  { onError }: Parts["options"],
): SdkQueuedMessage | undefined {
  let cause: unknown;
  try {
    const message = JSON.parse(text);
    if (typeof message?.message === "object") return message;
  } catch (error) {
    cause = error;
  }
  const what = "a queued message is not a message of the SDK as JSON";
  report(onError, new InvalidDataError(key, what, { cause }));
}
