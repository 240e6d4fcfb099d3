/**
 * Short-lived queues of messages beside the records: first in, first out, one
 * per key. Every implementation keeps every promise written here.
 *
 * @module
 */

import { requireInteger } from "./checks.ts";
import { StorageError } from "./errors.ts";

/** The time a queue lives where no record says so, in milliseconds: 1 hour. */
export const DEFAULT_QUEUE_TTL_MS: number = 60 * 60 * 1000;

/** Options of {@linkcode MessageQueue.push}. */
export interface PushOptions {
  /** The most messages the queue may hold, this one included. Default: no bound. */
  readonly maxLength?: number | undefined;
  /**
   * The time the queue lives from this push on if no record with an end is
   * under its key, in milliseconds. Default: 1 hour.
   */
  readonly ttlMs?: number | undefined;
}

/**
 * Queues of messages, each under the key of a record, which need not exist.
 *
 * A queue ends with its record: every push makes it live exactly as long as
 * the record then does; `ttlMs` long where there is no such record, or one
 * without end. So a record that is made to live longer takes its queue along
 * at the next push. An empty queue holds nothing.
 *
 * A message is delivered at most once. The caller of `shift` has it, and no
 * one else will; if the answer is lost on the way, so is the message. No
 * operation is tried again once it may have been executed: the error then has
 * the `outcome` `"unknown"`.
 *
 * Every method throws `InvalidKeyError` for a malformed key and `BackendError`
 * when the engine fails or the backend is closed.
 *
 * @example A queue holds what its bound allows
 * ```ts
 * import { makeKey, MemoryBackend, type MessageQueue } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using backend = new MemoryBackend(); // or: await RedisBackend.connect()
 * const queues: MessageQueue = backend.queues;
 * const key = makeKey("alice", "t-1");
 * await queues.push(key, "one", { maxLength: 100 });
 * await queues.push(key, "two", { maxLength: 100 });
 * assertEquals(await queues.shift(key), "one");
 * assertEquals(await queues.drain(key), ["two"]);
 * ```
 */
export interface MessageQueue {
  /**
   * Appends a message, if there is room: check and append are one atomic step.
   *
   * @throws {QueueFullError} If the queue holds `maxLength` messages or more.
   * @throws {InvalidDataError} If UTF-8 cannot hold the message.
   * @throws {CapacityExceededError} If it is over the backend's `maxRecordBytes`.
   * @throws {RangeError} If `maxLength` is not an integer from 0, or `ttlMs`
   * not one from 1.
   */
  push(key: string, message: string, options?: PushOptions): Promise<void>;

  /** Removes the first message and returns it; `undefined` if there is none. */
  shift(key: string): Promise<string | undefined>;

  /** Removes all messages in one atomic step and returns them in order. */
  drain(key: string): Promise<string[]>;
}

/** A message would exceed the bound of its queue. */
export class QueueFullError extends StorageError {
  /** The key of the queue. */
  readonly key: string;
  /** The number of messages it holds. */
  readonly length: number;
  /** The most it may hold. */
  readonly maxLength: number;

  /**
   * Creates the error, as a backend throws it.
   *
   * @param key The key of the queue.
   * @param length How many messages it holds.
   * @param maxLength The most it may hold.
   */
  constructor(key: string, length: number, maxLength: number) {
    super(
      "capacity_exceeded",
      `the queue of ${
        JSON.stringify(key)
      } is full: it holds ${length} messages of at most ${maxLength}`,
    );
    this.name = "QueueFullError";
    this.key = key;
    this.length = length;
    this.maxLength = maxLength;
  }
}

/** The options of a push, checked, with their defaults. */
export function checkPush(
  { maxLength, ttlMs = DEFAULT_QUEUE_TTL_MS }: PushOptions,
): { maxLength: number | undefined; ttlMs: number } {
  if (maxLength !== undefined) requireInteger("maxLength", maxLength, 0);
  // Further ahead than Redis could add to the time it is now.
  requireInteger("ttlMs", ttlMs, 1, 2 ** 52);
  return { maxLength, ttlMs };
}
