/**
 * Writes that wait until replicas have them, many together in one `WAIT`, on
 * connections of their own: nothing else waits behind them.
 *
 * @module
 */

import type { NodeClient } from "../client_like.ts";
import type { RedisLink } from "../link_types.ts";
import { connectOwn, duplicateOf } from "../own_connection.ts";
import { isErrorReply, NotSentError } from "../send_errors.ts";
import type { DurabilityOptions } from "./retry.ts";

/** The result of a durable write. */
export interface DurableAnswer {
  /** The server's answer to the command. */
  readonly answer: unknown;
  /** The replicas that have confirmed it: 0 where that was not answered. */
  readonly confirmed: number;
  /** Why there was no answer to `WAIT`, where there was none. */
  readonly waitError?: unknown;
}

/** The time beyond its own that `WAIT` may stay unanswered, in milliseconds. */
const GRACE_MS = 2000;

/** The most redirections that one command follows. */
const MAX_REDIRECTIONS = 16;

/** See the module. */
export class DurableWriter {
  readonly #link: RedisLink;
  readonly #options: DurabilityOptions;
  readonly #nodes = new Map<NodeClient, NodeWriter>();
  readonly #stopListening: () => void;
  #closed = false;

  constructor(link: RedisLink, options: DurabilityOptions) {
    this.#link = link;
    this.#options = options;
    this.#stopListening = link.onReady(() => this.#sweep());
  }

  /**
   * Sends a write, and resolves when the replicas have confirmed it or their
   * time is over: within twice `timeoutMs` and a round trip. Rejects at once
   * with an error reply; other errors mean what `isSurelyUnsent` says.
   */
  async send(key: string, args: string[]): Promise<DurableAnswer> {
    let node = await this.#find(() => this.#link.nodeOf(key));
    let asking = false;
    for (let redirections = 0;; redirections++) {
      try {
        return await this.#writerLike(node).write(args, asking);
      } catch (error) {
        if (!isErrorReply(error) || redirections === MAX_REDIRECTIONS) {
          throw error;
        }
        asking = error.message.startsWith("ASK ");
        if (asking) {
          const address = error.message.split(" ").at(-1)!;
          node = await this.#find(() => this.#link.nodeAt(address));
        } else if (error.message.startsWith("MOVED ")) {
          await this.#link.rediscover(key);
          node = await this.#find(() => this.#link.nodeOf(key));
        } else throw error;
      }
    }
  }

  /** Closes the connections at once; what is owed rejects. */
  close(): void {
    this.#closed = true;
    this.#stopListening();
    for (const writer of this.#nodes.values()) writer.close();
    this.#nodes.clear();
  }

  async #find(
    find: () => Promise<NodeClient | undefined>,
  ): Promise<NodeClient> {
    try {
      const node = await find();
      if (node) return node;
    } catch (cause) {
      throw new NotSentError(cause);
    }
    throw new NotSentError("the node of the Cluster is not known");
  }

  /** The writer to a node; the connection is opened with the first write. */
  #writerLike(node: NodeClient): NodeWriter {
    if (this.#closed) throw new NotSentError("the connection is closed");
    const existing = this.#nodes.get(node);
    if (existing?.isOpen) return existing;
    this.#sweep();
    const writer = new NodeWriter(node, this.#options);
    this.#nodes.set(node, writer);
    return writer;
  }

  /** Closes what is left of nodes that the client has given up. */
  #sweep(): void {
    for (const [node, writer] of this.#nodes) {
      if (node.isOpen && writer.isOpen) continue;
      writer.close();
      this.#nodes.delete(node);
    }
  }
}

interface Write {
  readonly args: string[];
  readonly asking: boolean;
  resolve(answer: DurableAnswer): void;
  reject(error: unknown): void;
}

/** Writes to one node, over one connection that is never made again. */
class NodeWriter {
  readonly #client: NodeClient;
  readonly #wait: string[];
  readonly #limitMs: number;
  #queue: Write[] = [];
  /** While the connection is opened, a flush is due or a `WAIT` is owed. */
  #busy = true;
  #lost = false;

  constructor(like: NodeClient, { replicas, timeoutMs }: DurabilityOptions) {
    this.#limitMs = timeoutMs + GRACE_MS;
    this.#client = duplicateOf(like, timeoutMs + 2 * GRACE_MS);
    this.#wait = ["WAIT", `${replicas}`, `${timeoutMs}`];
    const onLost = () =>
      this.#lose("the connection for durable writes is lost");
    this.#client.on("end", onLost);
    this.#client.on("terminated", onLost);
    connectOwn(this.#client).then(
      () => this.#flush(),
      (cause) => this.#lose(cause),
    );
  }

  get isOpen(): boolean {
    return !this.#lost;
  }

  write(args: string[], asking: boolean): Promise<DurableAnswer> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ args, asking, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      // All of one tick go together.
      nextTick(() => this.#flush());
    });
  }

  close(): void {
    this.#lose("the connection is closed");
    this.#client.destroy();
  }

  #lose(cause: unknown): void {
    this.#lost = true;
    for (const { reject } of this.#queue.splice(0)) {
      reject(new NotSentError(cause));
    }
  }

  /** One `WAIT` for all that is queued; the next when it is answered. */
  async #flush(): Promise<void> {
    const batch = this.#queue;
    this.#queue = [];
    if (batch.length === 0) {
      this.#busy = false;
      return;
    }
    // Sent in one go: all are written to this connection, or fail with it.
    const sent = batch.map(({ args, asking }) => {
      if (asking) this.#client.sendCommand(["ASKING"]).catch(() => {});
      return this.#client.sendCommand(args);
    });
    const waited = this.#client.sendCommand(this.#wait);
    for (const [i, answer] of sent.entries()) answer.catch(batch[i]!.reject);
    const timer = setTimeout(() => this.#client.destroy(), this.#limitMs);
    let confirmed = 0;
    let failure: { waitError?: unknown } = {};
    try {
      confirmed = Number(await waited);
    } catch (waitError) {
      failure = { waitError };
    }
    clearTimeout(timer);
    for (const [i, answer] of sent.entries()) {
      const { resolve } = batch[i]!;
      answer.then(
        (answer) => resolve({ answer, confirmed, ...failure }),
        () => {},
      );
    }
    this.#flush();
  }
}

/** After what is to be done in this tick; a timer may take a millisecond. */
const nextTick: (task: () => void) => void =
  (globalThis as { setImmediate?: (task: () => void) => void })
    .setImmediate ?? ((task) => setTimeout(task, 0));
