/**
 * Message queues inside one process: what `RedisMessageQueue` is on Redis, for
 * `MemoryBackend`, which makes one.
 */

import { checkData } from "../storage/checks.ts";
import { splitKey } from "../storage/keys.ts";
import {
  checkPush,
  type MessageQueue,
  type PushOptions,
  QueueFullError,
} from "../storage/message_queue.ts";

/** What the queues need of their backend. */
export interface MemoryQueueSource {
  readonly maxRecordBytes: number;
  /** The time, in epoch milliseconds. */
  readonly clock: () => number;
  /** Throws if the backend is closed. */
  requireOpen(): void;
  /** When the live record under a key ends; `Infinity`: never. */
  recordEnd(key: string): number | undefined;
}

interface Queue {
  messages: string[];
  expiresAt: number;
}

/** Every promise of `MessageQueue`, in the memory of this process. */
export class MemoryMessageQueue implements MessageQueue {
  readonly #source: MemoryQueueSource;
  readonly #queues = new Map<string, Queue>();
  /** Where the sweep of queues nobody asks for goes on. */
  #sweep: Iterator<string> = this.#queues.keys();

  constructor(source: MemoryQueueSource) {
    this.#source = source;
  }

  push(
    key: string,
    message: string,
    options: PushOptions = {},
  ): Promise<void> {
    return this.#answer(() => {
      splitKey(key);
      checkData(key, message, this.#source.maxRecordBytes);
      const { maxLength = Infinity, ttlMs } = checkPush(options);
      const queue = this.#live(key) ?? { messages: [], expiresAt: 0 };
      const { length } = queue.messages;
      if (length >= maxLength) throw new QueueFullError(key, length, maxLength);
      queue.messages.push(message);
      const end = this.#source.recordEnd(key) ?? Infinity;
      queue.expiresAt = end === Infinity ? this.#source.clock() + ttlMs : end;
      this.#queues.set(key, queue);
      this.#sweepSome();
    });
  }

  shift(key: string): Promise<string | undefined> {
    return this.#answer(() => {
      splitKey(key);
      const messages = this.#live(key)?.messages;
      const message = messages?.shift();
      if (messages?.length === 0) this.#queues.delete(key);
      return message;
    });
  }

  drain(key: string): Promise<string[]> {
    return this.#answer(() => {
      splitKey(key);
      const messages = this.#live(key)?.messages ?? [];
      this.#queues.delete(key);
      return messages;
    });
  }

  /** Forgets everything. */
  clear(): void {
    this.#queues.clear();
  }

  /** Every error is a rejection, as it is from queues that must ask. */
  #answer<T>(step: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#source.requireOpen();
      resolve(step());
    });
  }

  #live(key: string): Queue | undefined {
    const queue = this.#queues.get(key);
    if (queue === undefined || queue.expiresAt > this.#source.clock()) {
      return queue;
    }
    this.#queues.delete(key);
    return undefined;
  }

  /** Looks at two queues a push, round and round, as `MemoryBackend` does. */
  #sweepSome(): void {
    for (let i = 0; i < 2; i++) {
      const next = this.#sweep.next();
      if (next.done) this.#sweep = this.#queues.keys();
      else this.#live(next.value);
    }
  }
}
