/** The common part of all links: listeners, subscribers and their release. */

import { deadline } from "../util/deadline.ts";
import type { Emitter, NodeClient } from "./client_like.ts";
import type { LinkKind, RedisLink } from "./link_types.ts";
import { NodeSubscriber } from "./node_subscriber.ts";
import type { Subscriber } from "./subscriber.ts";

/**
 * The longest time closing waits for answers that are still owed, in
 * milliseconds.
 */
const CLOSE_MS = 2000;

/** A client that is ours to close. */
export interface Closable {
  readonly isOpen: boolean;
  close(): Promise<unknown>;
  destroy(): unknown;
}

/** See the module. */
export abstract class BaseLink implements RedisLink {
  abstract readonly kind: LinkKind;
  abstract readonly isOpen: boolean;
  abstract readonly isReady: boolean;
  readonly #ready = new Set<() => void>();
  readonly #attached = new Set<() => void>();
  readonly #subscribers = new Set<Subscriber>();
  #closing?: Promise<void>;

  abstract send(
    key: string,
    readonly: boolean,
    args: string[],
  ): Promise<unknown>;

  abstract nodeOf(key: string): Promise<NodeClient>;

  rediscover(_key: string): Promise<void> {
    return Promise.resolve();
  }

  nodeAt(_address: string): Promise<NodeClient | undefined> {
    return Promise.resolve(undefined);
  }

  onReady(listener: () => void): () => void {
    // A function of its own: the same listener may be added twice.
    const entry = () => listener();
    this.#ready.add(entry);
    return () => {
      this.#ready.delete(entry);
    };
  }

  openSubscriber(): Promise<Subscriber> {
    const subscriber = new NodeSubscriber(this, () => {
      this.#subscribers.delete(subscriber);
    });
    this.#subscribers.add(subscriber);
    return Promise.resolve(subscriber);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#release();
  }

  /**
   * Listens to events until the link is closed.
   *
   * @returns Ends it before.
   */
  protected attach(emitter: Emitter, ...events: string[]): () => void {
    const listener = () => this.notifyReady();
    for (const event of events) emitter.on(event, listener);
    const detach = () => {
      for (const event of events) emitter.off(event, listener);
      this.#attached.delete(detach);
    };
    this.#attached.add(detach);
    return detach;
  }

  protected notifyReady(): void {
    for (const listener of [...this.#ready]) listener();
  }

  /** Closes what a kind of link has opened itself. */
  protected closeOwned(): Promise<void> {
    return Promise.resolve();
  }

  async #release(): Promise<void> {
    for (const detach of this.#attached) detach();
    this.#ready.clear();
    await Promise.all([...this.#subscribers].map((each) => each.close()));
    await this.closeOwned();
  }
}

/** Closes a client politely, but does not wait long: an answer may not come. */
export async function closeClient(
  client: Closable,
  isReady: boolean,
): Promise<void> {
  if (isReady) {
    try {
      await deadline(client.close(), CLOSE_MS);
      return;
    } catch {
      // Destroyed below.
    }
  }
  try {
    // Not awaited: a sentinel's ends only with the connecting under way.
    Promise.resolve(client.destroy()).catch(() => {});
  } catch {
    // Closed and done.
  }
}
