/**
 * The executor's view of a connection: one way to send, whatever client is
 * behind.
 */

import type { NodeClient } from "./client_like.ts";
import type { Subscriber } from "./subscriber.ts";

/** The kinds of node-redis clients. */
export type LinkKind = "client" | "pool" | "cluster" | "sentinel";

/** A connection to Redis: a client of ours, or a borrowed one. */
export interface RedisLink {
  /** The kind of client behind it. */
  readonly kind: LinkKind;
  /**
   * Sends one command, on a Cluster to the node of `key`. Rejects as the
   * client does; `isSurelyUnsent` judges such an error. The answer is made of
   * strings, numbers, null and arrays, whatever type mapping a borrowed client
   * has.
   *
   * @param readonly Whether it changes nothing. A master answers all the same,
   * also where the client reads from replicas: a watch that reads old data
   * after an event would miss what the event tells.
   */
  send(key: string, readonly: boolean, args: string[]): Promise<unknown>;
  /** Whether its client is open: `false` once its owner has closed it. */
  readonly isOpen: boolean;
  /**
   * Whether a command would be written to a connection now. A pool does not
   * tell: it is ready while it is open. A cluster and a borrowed sentinel tell
   * only of the whole, not of a node.
   */
  readonly isReady: boolean;
  /**
   * Calls back after every (re)connection or change of topology, and when the
   * owner has closed a borrowed client. A pool tells of one connection only.
   *
   * @returns How to stop.
   */
  onReady(listener: () => void): () => void;
  /** Makes what events are received on, with connections of its own. */
  openSubscriber(): Promise<Subscriber>;
  /** The client of the node that `key` is written to, to be duplicated. */
  nodeOf(key: string): Promise<NodeClient>;
  /**
   * Learns the topology of a Cluster again where the node of `key` is another
   * by now. Never rejects.
   */
  rediscover(key: string): Promise<void>;
  /** The client of a node of a Cluster, by its address, if it is known. */
  nodeAt(address: string): Promise<NodeClient | undefined>;
  /**
   * Releases what was opened here, subscribers included, and every listener on
   * a borrowed client.
   */
  close(): Promise<void>;
}
