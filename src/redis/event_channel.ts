/** One channel of an `EventHub`: its listeners share one subscription. */

import type { Subscription } from "../storage/watch_source.ts";
import { DeadlineError } from "../util/deadline.ts";
import { Notifier } from "../util/notifier.ts";
import type { MessageListener, Subscriber } from "./subscriber.ts";

/** The parts of a hub that its channels need. */
export interface ChannelSource {
  /** The longest time subscribing may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Opens the connection for events, or returns the open one. */
  open(): Promise<Subscriber>;
  /** Whether a failure to subscribe may pass. */
  isTransient(error: unknown): boolean;
  /** Makes the error of a subscription that failed. */
  toError(channel: string, cause: unknown): unknown;
  /** Called when the channel has neither listeners nor a subscription. */
  onIdle(channel: EventChannel): void;
}

/** One listener, and its wait for the subscription. */
interface Entry {
  readonly onMessage: MessageListener;
  readonly onReset: () => void;
  /** Ends the wait; with an error if there is no subscription. */
  settle?: ((error?: unknown) => void) | undefined;
}

/** The first and the longest pause between two tries, in milliseconds. */
const MIN_PAUSE_MS = 20;
const MAX_PAUSE_MS = 500;

/**
 * See the module. One loop, and so one command at a time, brings the
 * subscription to what the listeners want: a subscription that begins while
 * the last one ends is neither lost nor doubled.
 */
export class EventChannel {
  readonly name: string;
  readonly #source: ChannelSource;
  readonly #entries = new Set<Entry>();
  readonly #wake = new Notifier();
  readonly #onMessage: MessageListener = (message) => {
    this.#tell(({ onMessage }) => onMessage(message));
  };
  #isSubscribed = false;
  #isRunning = false;
  /** Why the last try failed. */
  #failure: unknown;

  constructor(name: string, source: ChannelSource) {
    this.name = name;
    this.#source = source;
  }

  /** Adds a listener, called from the acknowledgment on, if not before. */
  add(onMessage: MessageListener, onReset: () => void): Subscription {
    const entry: Entry = { onMessage, onReset };
    this.#entries.add(entry);
    const ready = this.#isSubscribed ? undefined : this.#wait(entry);
    this.#run();
    return { ready, end: () => this.#remove(entry) };
  }

  /** Tells every listener that messages may have been missed. */
  reset(): void {
    // The connection may be back: a failed try need not wait any longer.
    this.#cutPause();
    this.#tell(({ onReset }) => onReset());
  }

  /** One that another has just ended is not called any more. */
  #tell(call: (entry: Entry) => void): void {
    for (const entry of [...this.#entries]) {
      if (this.#entries.has(entry)) call(entry);
    }
  }

  /** Ends every listener; those that wait get the error. */
  fail(error: unknown): void {
    const entries = [...this.#entries];
    this.#entries.clear();
    for (const entry of entries) entry.settle?.(error);
    this.#cutPause();
  }

  /** Forgets the subscription: its connection has been closed. */
  drop(): void {
    this.#isSubscribed = false;
    this.#cutPause();
  }

  #wait(entry: Entry): Promise<void> {
    const { timeoutMs } = this.#source;
    const ready = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        const cause = this.#failure ?? new DeadlineError(timeoutMs);
        entry.settle?.(this.#source.toError(this.name, cause));
        this.#remove(entry);
      }, timeoutMs);
      entry.settle = (error) => {
        clearTimeout(timer);
        entry.settle = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
    });
    // Who has ended it does not listen any more.
    ready.catch(() => {});
    return ready;
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    entry.settle?.(new Error("the subscription was ended"));
    if (this.#entries.size > 0) return;
    this.#cutPause();
    this.#run();
  }

  /** A notification without a sleeper would cut the next pause. */
  #cutPause(): void {
    if (this.#isRunning) this.#wake.notify();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    let pauseMs = MIN_PAUSE_MS;
    while (this.#isSubscribed !== this.#entries.size > 0) {
      if (this.#isSubscribed) await this.#unsubscribe();
      else if (!await this.#subscribe()) {
        await this.#wake.wait(pauseMs * (0.5 + Math.random() / 2));
        pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
      }
    }
    this.#isRunning = false;
    if (this.#entries.size === 0) this.#source.onIdle(this);
  }

  async #subscribe(): Promise<boolean> {
    try {
      const subscriber = await this.#source.open();
      await subscriber.sSubscribe(this.name, this.#onMessage);
    } catch (error) {
      this.#failure = error;
      if (this.#source.isTransient(error)) return this.#entries.size === 0;
      this.fail(this.#source.toError(this.name, error));
      return true;
    }
    this.#isSubscribed = true;
    this.#failure = undefined;
    for (const { settle } of [...this.#entries]) settle?.();
    return true;
  }

  /** Unless somebody listens again within the same turn of the event loop. */
  async #unsubscribe(): Promise<void> {
    await this.#wake.wait(0);
    if (this.#entries.size > 0 || !this.#isSubscribed) return;
    // A listener that comes from now on needs an acknowledgment of its own.
    this.#isSubscribed = false;
    try {
      const subscriber = await this.#source.open();
      await subscriber.sUnsubscribe(this.name, this.#onMessage);
    } catch {
      // What is closed has no subscriptions left.
    }
  }
}
