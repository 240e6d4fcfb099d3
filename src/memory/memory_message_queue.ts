/** Message queues inside one process: the `queues` of a `MemoryBackend`. */

import { checkData } from "../storage/checks.ts";
import { splitKey } from "../storage/keys.ts";
import {
  checkPush,
  type MessageQueue,
  type PushOptions,
  QueueFullError,
} from "../storage/message_queue.ts";
import type { Answer } from "./memory_records.ts";
import { Sweep } from "./sweep.ts";

/** The parts of a backend that its queues need. */
export interface MemoryQueueSource {
  readonly maxRecordBytes: number;
  readonly answer: Answer;
  /** When the live record under a key ends; `Infinity`: never. */
  recordEnd(key: string, now: number): number | undefined;
}

interface Queue {
  messages: string[];
  expiresAt: number;
}

/** Every promise of `MessageQueue`, in the memory of this process. */
export class MemoryMessageQueue implements MessageQueue {
  readonly #source: MemoryQueueSource;
  readonly #queues = new Map<string, Queue>();
  /** Frees queues that no one asks for. */
  readonly #sweep = new Sweep(this.#queues, (key, now) => this.#live(key, now));

  constructor(source: MemoryQueueSource) {
    this.#source = source;
  }

  push(
    key: string,
    message: string,
    options: PushOptions = {},
  ): Promise<void> {
    return this.#source.answer((now) => {
      splitKey(key);
      checkData(key, message, this.#source.maxRecordBytes);
      const { maxLength = Infinity, ttlMs } = checkPush(options);
      const queue = this.#live(key, now) ?? { messages: [], expiresAt: 0 };
      const { length } = queue.messages;
      if (length >= maxLength) throw new QueueFullError(key, length, maxLength);
      queue.messages.push(message);
      const end = this.#source.recordEnd(key, now) ?? Infinity;
      queue.expiresAt = end === Infinity ? now + ttlMs : end;
      this.#queues.set(key, queue);
      this.#sweep.step(now);
    });
  }

  shift(key: string): Promise<string | undefined> {
    return this.#source.answer((now) => {
      splitKey(key);
      const messages = this.#live(key, now)?.messages;
      const message = messages?.shift();
      if (messages?.length === 0) this.#queues.delete(key);
      return message;
    });
  }

  drain(key: string): Promise<string[]> {
    return this.#source.answer((now) => {
      splitKey(key);
      const messages = this.#live(key, now)?.messages ?? [];
      this.#queues.delete(key);
      return messages;
    });
  }

  /** Forgets everything. */
  clear(): void {
    this.#queues.clear();
  }

  #live(key: string, now: number): Queue | undefined {
    const queue = this.#queues.get(key);
    if (queue === undefined || queue.expiresAt > now) return queue;
    this.#queues.delete(key);
    return undefined;
  }
}
