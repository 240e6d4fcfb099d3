/** Queues whose messages are sealed, each bound to the key it waits under. */

import { InvalidDataError } from "../storage/errors.ts";
import type { MessageQueue, PushOptions } from "../storage/message_queue.ts";
import { KeyedMutex } from "../util/keyed_mutex.ts";
import type { TextSealer } from "./sealed_text.ts";

/** The place of a message under its key. */
const PLACE = ["message"];

/**
 * Keeps every promise of `MessageQueue` on top of one. A message that no key
 * opens was not pushed with one: it is removed, reported and left out.
 */
export class SealedQueue implements MessageQueue {
  /** The queues the sealed messages are kept in. */
  readonly stored: MessageQueue;
  readonly #sealer: TextSealer;
  readonly #onUnreadable: ((error: InvalidDataError) => void) | undefined;
  /** Sealing takes a while: what is called first is sent first all the same. */
  readonly #turns: KeyedMutex;

  constructor(
    stored: MessageQueue,
    sealer: TextSealer,
    onUnreadable?: (error: InvalidDataError) => void,
    turns: KeyedMutex = new KeyedMutex(),
  ) {
    this.stored = stored;
    this.#sealer = sealer;
    this.#onUnreadable = onUnreadable;
    this.#turns = turns;
  }

  /** Returns the same queues, with another handler for unreadable messages. */
  reportingTo(onUnreadable: (error: InvalidDataError) => void): SealedQueue {
    const { stored } = this;
    return new SealedQueue(stored, this.#sealer, onUnreadable, this.#turns);
  }

  async push(
    key: string,
    message: string,
    options?: PushOptions,
  ): Promise<void> {
    await this.#send(key, async () => {
      const sealed = await this.#sealer.seal(key, PLACE, message);
      return () => this.stored.push(key, sealed, options);
    });
  }

  async shift(key: string): Promise<string | undefined> {
    for (;;) {
      const sealed = await this.#send(
        key,
        () => Promise.resolve(() => this.stored.shift(key)),
      );
      if (sealed === undefined) return undefined;
      const message = await this.#open(key, sealed);
      if (message !== undefined) return message;
    }
  }

  async drain(key: string): Promise<string[]> {
    const sealed = await this.#send(
      key,
      () => Promise.resolve(() => this.stored.drain(key)),
    );
    const messages = await Promise.all(
      sealed.map((one) => this.#open(key, one)),
    );
    return messages.filter((message) => message !== undefined);
  }

  /** Sends what is prepared, in the order of the calls. */
  async #send<T>(
    key: string,
    prepare: () => Promise<() => Promise<T>>,
  ): Promise<T> {
    // The turn ends when the call is sent, not when it is answered.
    const { answer } = await this.#turns.run(key, async () => {
      const send = await prepare();
      return { answer: send() };
    });
    return await answer;
  }

  async #open(key: string, sealed: string): Promise<string | undefined> {
    try {
      return await this.#sealer.open(key, PLACE, sealed);
    } catch (error) {
      if (!(error instanceof InvalidDataError)) throw error;
      this.#onUnreadable?.(error);
    }
  }
}

/**
 * Returns the queues that messages are kept in: the same for all stores on one
 * backend, whether or not they seal.
 */
export function storedQueues(queues: object): object {
  return queues instanceof SealedQueue ? queues.stored : queues;
}
