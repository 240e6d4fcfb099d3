/**
 * The `TaskMessageQueue` of `@modelcontextprotocol/sdk` 1.32 on our queues.
 *
 * @module
 */

import { InvalidDataError } from "../../storage/errors.ts";
import { makeKey } from "../../storage/keys.ts";
import {
  type MessageQueue,
  QueueFullError,
} from "../../storage/message_queue.ts";
import {
  ownerByIdentity,
  ownerBySession,
  type OwnerOf,
  type SdkOwnerOptions,
} from "./owner.ts";
import type { SdkQueuedMessage } from "./types.ts";

/** Options of an {@linkcode SdkTaskMessageQueue}. */
export interface SdkTaskMessageQueueOptions extends SdkOwnerOptions {
  /**
   * How long messages wait whose task has no end or is not there, in
   * milliseconds. Default: 1 hour. All others wait as long as their task.
   */
  readonly ttlMs?: number | undefined;
  /**
   * Told why a queue could not be emptied. Default: nobody is told; the queue
   * ends with its task.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * A `TaskMessageQueue` for the MCP SDK v1: the messages of a task, in the
 * backend its task is kept in, one queue for all instances.
 *
 * Messages are delivered at most once. They are kept per owner: give it the
 * owner options that the `SdkTaskStore` beside it has, or bind both with
 * `forOwner`.
 *
 * @example
 * ```ts
 * import { MemoryBackend, SdkTaskMessageQueue } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using backend = new MemoryBackend(); // or: await RedisBackend.connect()
 * const queue = new SdkTaskMessageQueue(backend.queues).forOwner("alice");
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
  readonly #queues: MessageQueue;
  readonly #options: SdkTaskMessageQueueOptions;
  #ownerOf: OwnerOf;

  /**
   * A queue whose owners are found by session, until it is bound.
   *
   * @param queues The queues of a backend, `backend.queues`.
   * @param options How owners are found, and what else is not the default.
   */
  constructor(queues: MessageQueue, options: SdkTaskMessageQueueOptions = {}) {
    this.#queues = queues;
    this.#options = options;
    this.#ownerOf = ownerBySession(options);
  }

  /**
   * The same queue for one authenticated identity, whatever the session.
   *
   * @param identity Who the messages belong to, as the authentication says.
   * @throws {TypeError} If it is empty or not a string.
   */
  forOwner(identity: string): SdkTaskMessageQueue {
    const bound = new SdkTaskMessageQueue(this.#queues, this.#options);
    bound.#ownerOf = ownerByIdentity(identity);
    return bound;
  }

  /**
   * Appends a message. The check for `maxSize` and the append are one step.
   *
   * @throws {Error} `Task message queue overflow: …`, if the queue is full.
   * @throws {BackendError} If the storage fails.
   */
  async enqueue(
    taskId: string,
    message: SdkQueuedMessage,
    sessionId?: string,
    maxSize?: number,
  ): Promise<void> {
    const { ttlMs } = this.#options;
    const maxLength = maxLengthOf(maxSize);
    const key = await this.#key(taskId, sessionId);
    try {
      const text = JSON.stringify(message);
      await this.#queues.push(key, text, { maxLength, ttlMs });
    } catch (cause) {
      if (!(cause instanceof QueueFullError)) throw cause;
      throw new Error(
        `Task message queue overflow: queue size (${cause.length}) exceeds maximum (${maxSize})`,
        { cause },
      );
    }
  }

  /**
   * Removes the first message and returns it; `undefined` if there is none.
   *
   * @throws {BackendError} If the storage fails; with `outcome` `"unknown"`
   * the message may be lost.
   */
  async dequeue(
    taskId: string,
    sessionId?: string,
  ): Promise<SdkQueuedMessage | undefined> {
    const key = await this.#key(taskId, sessionId);
    const text = await this.#queues.shift(key);
    return text === undefined ? undefined : parseMessage(key, text);
  }

  /**
   * Removes all messages in one step and returns them, in order.
   *
   * It never rejects: the SDK does not wait for it when a task ends, and a
   * rejection nobody waits for would end the process. A failure goes to
   * `onError`, and the answer is empty.
   */
  async dequeueAll(
    taskId: string,
    sessionId?: string,
  ): Promise<SdkQueuedMessage[]> {
    try {
      const key = await this.#key(taskId, sessionId);
      const texts = await this.#queues.drain(key);
      return texts.map((text) => parseMessage(key, text));
    } catch (error) {
      this.#options.onError?.(error);
      return [];
    }
  }

  async #key(taskId: string, sessionId: string | undefined): Promise<string> {
    // A store that allows nobody as an owner calls it "local".
    return makeKey(await this.#ownerOf(sessionId) || "local", taskId);
  }
}

/** The SDK compares with any number; none at all is no bound. */
function maxLengthOf(maxSize: number | undefined): number | undefined {
  return Number.isFinite(maxSize)
    ? Math.max(0, Math.ceil(maxSize!))
    : undefined;
}

function parseMessage(key: string, text: string): SdkQueuedMessage {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidDataError(key, "a queued message is not JSON", { cause });
  }
}
