/**
 * Events from sharded channels, over one connection for all backends of a
 * link. Watches take the changes of records from it, hints their messages.
 */

import { BackendError } from "../storage/errors.ts";
import type { ChangeListener, Subscription } from "../storage/watch_source.ts";
import { deadline } from "../util/deadline.ts";
import { EventChannel } from "./event_channel.ts";
import { isRefusedForNow } from "./executor/reply_errors.ts";
import type { MessageListener, Subscriber } from "./subscriber.ts";

/** Options of an {@linkcode EventHub}. */
export interface EventHubOptions {
  /** Opens the connection for events, as `RedisLink.openSubscriber` does. */
  open(): Promise<Subscriber>;
  /** The longest time subscribing may take, tries included, in milliseconds. */
  readonly timeoutMs: number;
}

/** The longest time closing waits for the connection, in milliseconds. */
const CLOSE_MS = 2000;

/**
 * Hands the messages of channels to their listeners. The connection is opened
 * by the first subscription and closed with the hub. Subscribing is tried
 * again, as reading is, until it succeeds, is refused or its time is over.
 */
export class EventHub {
  readonly #options: EventHubOptions;
  readonly #channels = new Map<string, EventChannel>();
  #opening: Promise<Subscriber> | undefined;
  #subscriber: Subscriber | undefined;
  #stopResets: (() => void) | undefined;
  #closed: BackendError | undefined;

  constructor(options: EventHubOptions) {
    this.#options = options;
  }

  /**
   * Subscribes to the changes of a record.
   *
   * @param channel Where its events are published: the new version, or "0".
   */
  changes(channel: string, listener: ChangeListener): Subscription {
    return this.subscribe(
      channel,
      (message) => listener(versionOf(message)),
      () => listener(undefined),
    );
  }

  /**
   * Subscribes to a channel. `ready` rejects with a `BackendError` if there is
   * no subscription within the time.
   *
   * @param listener Called with each message.
   * @param onReset Called when messages may have been missed.
   */
  subscribe(
    channel: string,
    listener: MessageListener,
    onReset: () => void,
  ): Subscription {
    if (this.#closed) throw this.#closed;
    let entry = this.#channels.get(channel);
    if (entry === undefined) {
      entry = new EventChannel(channel, {
        timeoutMs: this.#options.timeoutMs,
        open: () => this.#open(),
        isTransient,
        toError,
        onIdle: (idle) => {
          if (this.#channels.get(channel) === idle) {
            this.#channels.delete(channel);
          }
        },
      });
      this.#channels.set(channel, entry);
    }
    return entry.add(listener, onReset);
  }

  /** The number of channels in use, those being left included. */
  get size(): number {
    return this.#channels.size;
  }

  /** Ends every subscription and the connection for events. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = new BackendError("the connection for events is closed", {
      closed: true,
    });
    this.#stopResets?.();
    for (const channel of [...this.#channels.values()]) {
      channel.fail(this.#closed);
      channel.drop();
    }
    this.#channels.clear();
    // One that is still being opened is closed once it is open.
    const closing = this.#subscriber?.close();
    if (closing) await deadline(closing, CLOSE_MS).catch(() => {});
  }

  /** One attempt serves all who wait for it; a failed one is not kept. */
  #open(): Promise<Subscriber> {
    if (this.#closed) return Promise.reject(this.#closed);
    this.#opening ??= this.#options.open().then((subscriber) => {
      if (this.#closed) {
        subscriber.close().catch(() => {});
        throw this.#closed;
      }
      this.#subscriber = subscriber;
      this.#stopResets = subscriber.onReset(() => {
        for (const channel of [...this.#channels.values()]) channel.reset();
      });
      return subscriber;
    }).catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }
}

/** An event that is not understood is still a change. */
function versionOf(message: string): number | undefined {
  const version = Number(message);
  return Number.isSafeInteger(version) && version >= 0 ? version : undefined;
}

/** Refusals that only a subscription meets, and that pass: it has moved. */
const MOVED = /^(MOVED|ASK|UNBLOCKED) /;

function isTransient(error: unknown): boolean {
  if (error instanceof BackendError) return !error.closed;
  if (error instanceof TypeError) return false;
  const message = error instanceof Error ? error.message : String(error);
  return !/^[A-Z]{3,} /.test(message) || isRefusedForNow(message) ||
    MOVED.test(message);
}

function toError(channel: string, cause: unknown): BackendError {
  if (cause instanceof BackendError && cause.closed) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BackendError(`cannot subscribe to ${channel}: ${reason}`, {
    cause,
  });
}
