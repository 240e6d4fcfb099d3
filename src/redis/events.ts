/**
 * Change events of records, from sharded pub/sub, for `RedisBackend.watch`.
 * The connection for them is opened by the first watch and closed with the
 * backend; a borrowed client itself is never put into subscriber mode.
 */

import { BackendError } from "../storage/errors.ts";
import type { RedisClientLike } from "./connect.ts";
import type { ChangeListener } from "../storage/watch.ts";
import { deadline } from "../util/deadline.ts";

type Listener = (message: string) => void;

/** What events are received on. */
interface Subscriber {
  sSubscribe(channel: string, listener: Listener): Promise<unknown>;
  sUnsubscribe(channel: string, listener: Listener): Promise<unknown>;
}

/** A client made by `duplicate()`: ours to open and to close. */
interface DuplicateClient extends Subscriber {
  on(event: string, listener: () => void): unknown;
  connect(): Promise<unknown>;
  readonly isOpen: boolean;
  destroy(): void;
}

/** Hands events to listeners, over one connection whatever their number. */
export class EventHub {
  readonly #client: RedisClientLike;
  readonly #timeoutMs: number;
  readonly #reconnects = new Set<() => void>();
  #subscriber?: Promise<Subscriber>;
  #opened?: DuplicateClient;
  #closed = false;

  /** @param timeoutMs How long opening the connection may take. */
  constructor(client: RedisClientLike, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Rings at every event of a channel from now on, and after every loss of
   * the connection, since events may have been missed meanwhile. The message
   * is the new version; "0" tells of a deletion.
   *
   * @returns How to end it.
   */
  async subscribe(
    channel: string,
    ring: ChangeListener,
  ): Promise<() => Promise<void>> {
    const listener = (message: string) => ring(message === "0");
    const onReconnect = () => ring(false);
    const subscriber = await this.#connect();
    this.#reconnects.add(onReconnect);
    try {
      await this.#deadline(subscriber.sSubscribe(channel, listener));
    } catch (cause) {
      this.#reconnects.delete(onReconnect);
      // It may yet succeed, when nobody listens any more.
      subscriber.sUnsubscribe(channel, listener).catch(() => {});
      throw failed(`subscribe to ${channel}`, cause);
    }
    return async () => {
      this.#reconnects.delete(onReconnect);
      if (this.#closed) return;
      // A connection that is gone has no subscription left to end.
      await this.#deadline(subscriber.sUnsubscribe(channel, listener))
        .catch(() => {});
    };
  }

  /** Closes what was opened. */
  close(): void {
    this.#closed = true;
    if (this.#opened?.isOpen) this.#opened.destroy();
  }

  /** One attempt serves all who wait for it; a failed one is not kept. */
  #connect(): Promise<Subscriber> {
    // Its own reconnecting has given up: the next watch begins anew.
    if (this.#opened?.isOpen === false) {
      this.#opened = undefined;
      this.#subscriber = undefined;
    }
    this.#subscriber ??= this.#open().catch((cause) => {
      this.#subscriber = undefined;
      throw failed("open the connection for events", cause);
    });
    return this.#subscriber;
  }

  async #open(): Promise<Subscriber> {
    const client = this.#client;
    if (isPlainClient(client)) return await this.#adopt(client.duplicate!());
    // A cluster or sentinel keeps connections for events of its own.
    if (client.sSubscribe && client.sUnsubscribe) return client as Subscriber;
    if (client.execute) {
      return await this.#adopt(
        await client.execute((lent) =>
          (lent as { duplicate(): unknown }).duplicate()
        ),
      );
    }
    throw new TypeError(
      "the client can neither duplicate() itself nor sSubscribe()",
    );
  }

  async #adopt(duplicate: unknown): Promise<Subscriber> {
    const opened = duplicate as DuplicateClient;
    opened.on("error", () => {});
    try {
      await this.#deadline(opened.connect());
      if (this.#closed) throw new Error("the backend was closed meanwhile");
    } catch (error) {
      if (opened.isOpen) opened.destroy();
      throw error;
    }
    opened.on("ready", () => {
      for (const onReconnect of this.#reconnects) onReconnect();
    });
    this.#opened = opened;
    return opened;
  }

  #deadline<T>(promise: Promise<T>): Promise<T> {
    return deadline(promise, this.#timeoutMs);
  }
}

/** Cluster and sentinel have `duplicate` too, but not this flag. */
function isPlainClient(client: RedisClientLike): boolean {
  return client.duplicate !== undefined && "isPubSubActive" in client;
}

function failed(what: string, cause: unknown): BackendError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return cause instanceof BackendError
    ? cause
    : new BackendError(`cannot ${what}: ${reason}`, { cause });
}
