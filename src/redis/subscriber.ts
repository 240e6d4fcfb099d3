/** A receiver of change events, whatever kind of client is behind. */

/** Called with each message of a channel. */
export type MessageListener = (message: string) => void;

/** Subscriptions to sharded channels, made by `RedisLink.openSubscriber()`. */
export interface Subscriber {
  /**
   * Subscribes. Resolves once the server has acknowledged it; rejects as the
   * client does, and then the listener is not called.
   */
  sSubscribe(channel: string, listener: MessageListener): Promise<void>;
  /** Ends a subscription. Never rejects: a lost connection has none left. */
  sUnsubscribe(channel: string, listener: MessageListener): Promise<void>;
  /**
   * Calls back when subscriptions were restored after a lost connection or a
   * change of topology: events may have been missed until now. Those whose
   * node cannot be reached yet are reported by a later call.
   *
   * @returns How to stop.
   */
  onReset(listener: () => void): () => void;
  /** Ends every subscription made here and closes what was opened. */
  close(): Promise<void>;
}
