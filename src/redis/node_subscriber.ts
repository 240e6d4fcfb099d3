/**
 * Subscriptions on connections of our own, one to each node that is needed.
 *
 * Those a cluster or sentinel client would make are not used: when a node is
 * lost, they drop subscriptions without a word, or reject a promise that is
 * not handled, which ends the process.
 *
 * @module
 */

import { BackendError } from "../storage/errors.ts";
import type { NodeClient } from "./client_like.ts";
import type { RedisLink } from "./link_types.ts";
import { connectOwn, duplicateOf } from "./own_connection.ts";
import { isErrorReply } from "./send_errors.ts";
import type { MessageListener, Subscriber } from "./subscriber.ts";
import { Watchdog } from "./watchdog.ts";

/** The pause before subscriptions are restored again, in milliseconds. */
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 250;

/** For how long restored subscriptions are reported together, in milliseconds. */
const RESET_MS = 10;

/** A connection to a node, made like the client of that node. */
interface Connection {
  readonly like: NodeClient;
  readonly opened: Promise<NodeClient>;
  readonly client: NodeClient;
}

interface Subscription {
  readonly listeners: Set<MessageListener>;
  /**
   * The connection it is made on, or being made; without one, it is to be
   * restored.
   */
  connection?: Connection | undefined;
  /** Resolves once it is acknowledged. */
  made?: Promise<void> | undefined;
}

/** See the module. */
export class NodeSubscriber implements Subscriber {
  readonly #link: RedisLink;
  readonly #onClose: () => void;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #connections = new Map<NodeClient, Connection>();
  readonly #resets = new Set<() => void>();
  readonly #stopListening: () => void;
  readonly #watchdog: Watchdog;
  #timer?: ReturnType<typeof setTimeout> | undefined;
  #resetTimer?: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = MIN_PAUSE_MS;
  #closed = false;

  constructor(link: RedisLink, onClose: () => void) {
    this.#link = link;
    this.#onClose = onClose;
    this.#stopListening = link.onReady(() => this.#reassign());
    this.#watchdog = new Watchdog(
      () => [...this.#connections.values()].map(({ client }) => client),
      (client) => client.destroy(),
    );
  }

  async sSubscribe(channel: string, listener: MessageListener): Promise<void> {
    if (this.#closed) throw new Error("the subscriber is closed");
    if (!this.#link.isOpen) {
      throw new BackendError("the client was closed", { closed: true });
    }
    let subscription = this.#subscriptions.get(channel);
    if (subscription === undefined) {
      subscription = { listeners: new Set() };
      this.#subscriptions.set(channel, subscription);
    }
    subscription.listeners.add(listener);
    try {
      await this.#make(channel, subscription);
    } catch (error) {
      this.#forget(channel, listener);
      throw error;
    }
  }

  async sUnsubscribe(
    channel: string,
    listener: MessageListener,
  ): Promise<void> {
    const connection = this.#forget(channel, listener);
    // What fails here fails with its connection, and that ends all of them.
    await connection?.client.sUnsubscribe(channel, this.#dispatch)
      .catch(() => {});
  }

  onReset(listener: () => void): () => void {
    const entry = () => listener();
    this.#resets.add(entry);
    return () => {
      this.#resets.delete(entry);
    };
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.#stopListening();
    this.#watchdog.stop();
    this.#endPause();
    clearTimeout(this.#resetTimer);
    this.#resets.clear();
    this.#subscriptions.clear();
    for (const { client } of this.#connections.values()) client.destroy();
    this.#connections.clear();
    this.#onClose();
    return Promise.resolve();
  }

  readonly #dispatch = (message: string, channel: string) => {
    const subscription = this.#subscriptions.get(channel);
    if (subscription === undefined) return;
    for (const listener of [...subscription.listeners]) listener(message);
  };

  /** Removes a listener; returns where its channel is to be unsubscribed. */
  #forget(channel: string, listener: MessageListener): Connection | undefined {
    const subscription = this.#subscriptions.get(channel);
    if (!subscription?.listeners.delete(listener)) return undefined;
    if (subscription.listeners.size > 0) return undefined;
    this.#subscriptions.delete(channel);
    return subscription.connection;
  }

  /** Subscribes on the node of the channel; once for all who ask meanwhile. */
  #make(channel: string, subscription: Subscription): Promise<void> {
    if (subscription.made) return subscription.made;
    const made = this.#subscribe(channel, subscription).catch((error) => {
      // Otherwise it is being made again already.
      if (subscription.made === made) this.#unmake(subscription);
      throw error;
    });
    return subscription.made = made;
  }

  async #subscribe(channel: string, subscription: Subscription): Promise<void> {
    const connection = this.#connectionLike(await this.#link.nodeOf(channel));
    subscription.connection = connection;
    const client = await connection.opened;
    try {
      await client.sSubscribe(channel, this.#dispatch);
    } catch (error) {
      if (isErrorReply(error) && error.message.startsWith("MOVED")) {
        await this.#link.rediscover(channel);
      }
      throw error;
    }
    if (subscription.connection !== connection) {
      throw new Error("the connection for events was lost meanwhile");
    }
    // All listeners left while it was being made, and no others came.
    if (this.#subscriptions.get(channel)?.connection !== connection) {
      client.sUnsubscribe(channel, this.#dispatch).catch(() => {});
    }
  }

  #connectionLike(like: NodeClient): Connection {
    const existing = this.#connections.get(like);
    if (existing) return existing;
    if (this.#closed) throw new Error("the subscriber is closed");
    const client = duplicateOf(like);
    const connection = { like, client, opened: connectOwn(client) };
    this.#connections.set(like, connection);
    this.#watchdog.start();
    const onLost = () => this.#lose(connection);
    connection.opened.catch(onLost);
    client.on("end", onLost);
    client.on("terminated", onLost);
    client.on("sharded-channel-moved", (channel) => {
      const subscription = this.#subscriptions.get(String(channel));
      if (subscription?.connection === connection) this.#unmake(subscription);
      this.#repair();
    });
    return connection;
  }

  #unmake(subscription: Subscription): void {
    subscription.connection = undefined;
    subscription.made = undefined;
  }

  /** Its connection has ended: all that was subscribed on it is restored. */
  #lose(connection: Connection): void {
    if (this.#connections.get(connection.like) !== connection) return;
    this.#connections.delete(connection.like);
    // Its timer would keep a process alive.
    if (this.#connections.size === 0) this.#watchdog.stop();
    connection.client.destroy();
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.connection === connection) this.#unmake(subscription);
    }
    this.#repair();
  }

  /** The topology may have changed: moves what is at another node by now. */
  #reassign(): void {
    this.#endPause();
    if (!this.#link.isOpen) {
      // Its owner has closed it: nothing of ours may outlive it.
      for (const connection of [...this.#connections.values()]) {
        this.#lose(connection);
      }
      return this.#reset();
    }
    for (const [channel, subscription] of this.#subscriptions) {
      this.#follow(channel, subscription);
    }
    for (const connection of [...this.#connections.values()]) {
      if (!connection.like.isOpen) this.#lose(connection);
    }
    this.#repair();
  }

  async #follow(channel: string, subscription: Subscription): Promise<void> {
    const { connection } = subscription;
    if (connection === undefined) return;
    const like = await this.#link.nodeOf(channel).catch(() => undefined);
    if (this.#closed || like === undefined || like === connection.like) return;
    if (subscription.connection !== connection) return;
    this.#unmake(subscription);
    connection.client.sUnsubscribe(channel, this.#dispatch).catch(() => {});
    this.#repair();
  }

  /** Makes again what is not subscribed, and again until that succeeds. */
  #repair(): void {
    if (this.#closed || !this.#link.isOpen || this.#timer !== undefined) return;
    for (const [channel, subscription] of this.#subscriptions) {
      // One node that does not answer keeps none of the others waiting.
      if (subscription.made) continue;
      this.#make(channel, subscription).then(
        () => this.#onRestored(),
        () => this.#repairLater(),
      );
    }
  }

  #onRestored(): void {
    this.#pauseMs = MIN_PAUSE_MS;
    if (this.#closed) return;
    this.#resetTimer ??= setTimeout(() => {
      this.#resetTimer = undefined;
      this.#reset();
    }, RESET_MS);
  }

  #repairLater(): void {
    if (this.#closed || !this.#link.isOpen || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#repair();
    }, this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, MAX_PAUSE_MS);
  }

  #endPause(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pauseMs = MIN_PAUSE_MS;
  }

  #reset(): void {
    for (const listener of [...this.#resets]) listener();
  }
}
