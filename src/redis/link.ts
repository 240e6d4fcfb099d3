/** What the executor talks to: one way to send, whatever client is behind. */

import type { Subscriber } from "./subscriber.ts";

/** The kinds of node-redis clients. */
export type LinkKind = "client" | "pool" | "cluster" | "sentinel";

/** A connection to Redis: a client of ours, or a borrowed one. */
export interface RedisLink {
  /** What kind of client is behind. */
  readonly kind: LinkKind;
  /**
   * Sends one command, on a Cluster to the node of `key`. Rejects as the
   * client does. The answer is made of strings, numbers, null and arrays,
   * whatever type mapping a borrowed client has.
   *
   * @param readonly Whether a replica may answer, where the client uses them.
   */
  send(key: string, readonly: boolean, args: string[]): Promise<unknown>;
  /** Whether a command would be written to a connection now. */
  readonly isReady: boolean;
  /**
   * Calls back after every (re)connection or change of topology.
   *
   * @returns How to stop.
   */
  onReady(listener: () => void): () => void;
  /**
   * Opens what events are received on: a connection of its own for a client
   * or a pool; a cluster or sentinel keeps such connections itself.
   */
  openSubscriber(): Promise<Subscriber>;
  /**
   * Opens a client to one node for `WAIT`: to that of `key` on a Cluster, to
   * the master behind a Sentinel.
   */
  openNode(key: string): Promise<NodeConnection>;
  /** Releases what was opened here and every listener on a borrowed client. */
  close(): Promise<void>;
}

/** A connection of its own to one node. */
export interface NodeConnection {
  /** Sends commands in this order, written together. */
  send(args: string[]): Promise<unknown>;
  /** Whether a command would be written now. */
  readonly isReady: boolean;
  /** Closes it at once. */
  close(): void;
}
