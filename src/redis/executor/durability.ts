/**
 * Writes that wait for replicas, many together: all that come while one `WAIT`
 * is under way go out together and share the next. They have connections of
 * their own, so that nothing else waits behind them.
 *
 * @module
 */

import type { NodeClient } from "../client_like.ts";
import type { RedisLink } from "../link_types.ts";
import { connectOwn, duplicateOf } from "../own_connection.ts";
import { NotSentError } from "../send_errors.ts";
import type { DurabilityOptions } from "./retry.ts";

/** The answer to a durable write. */
export interface DurableAnswer {
  /** What the server answered to the write itself. */
  readonly answer: unknown;
  /** How many replicas have it. */
  readonly confirmed: number;
}

/** Silence beyond the time that a `WAIT` may take, in milliseconds. */
const SILENT_MS = 4000;

/** A write that waits for the next group. */
interface PendingWrite {
  readonly words: string[];
  resolve(answer: DurableAnswer): void;
  reject(error: unknown): void;
}

/** Sends durable writes of one link. */
export class DurableWriter {
  readonly #link: RedisLink;
  readonly #durability: DurabilityOptions;
  readonly #groups = new Map<NodeClient, WriteGroup>();
  #isClosed = false;

  constructor(link: RedisLink, durability: DurabilityOptions) {
    this.#link = link;
    this.#durability = durability;
  }

  /**
   * Sends one write and waits for replicas.
   *
   * @param key Decides, on a Cluster, which node it goes to.
   * @throws What the client throws; `NotSentError` if it was surely not sent.
   */
  async send(key: string, words: string[]): Promise<DurableAnswer> {
    return await (await this.#groupOf(key)).send(words);
  }

  /** Closes its connections at once. */
  close(): void {
    this.#isClosed = true;
    for (const group of this.#groups.values()) group.close();
    this.#groups.clear();
  }

  async #groupOf(key: string): Promise<WriteGroup> {
    let node: NodeClient;
    try {
      node = await this.#link.nodeOf(key);
    } catch (cause) {
      throw new NotSentError(cause);
    }
    if (this.#isClosed) throw new NotSentError("the backend is closed");
    let group = this.#groups.get(node);
    if (group === undefined) {
      // Of a node that is gone, nothing is needed any more.
      for (const [other, old] of this.#groups) {
        if (other.isOpen) continue;
        old.close();
        this.#groups.delete(other);
      }
      group = new WriteGroup(node, this.#durability);
      this.#groups.set(node, group);
    }
    return group;
  }
}

/** The writes to one node. */
class WriteGroup {
  readonly #node: NodeClient;
  readonly #durability: DurabilityOptions;
  #pending: PendingWrite[] = [];
  #isFlushing = false;
  #connection: Promise<NodeClient> | undefined;

  constructor(node: NodeClient, durability: DurabilityOptions) {
    this.#node = node;
    this.#durability = durability;
  }

  send(words: string[]): Promise<DurableAnswer> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ words, resolve, reject });
      if (this.#isFlushing) return;
      this.#isFlushing = true;
      // A tick later: what is written together waits together.
      setTimeout(() => this.#flush(), 0);
    });
  }

  close(): void {
    this.#connection?.then((client) => client.destroy(), () => {});
    this.#connection = undefined;
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#pending;
      this.#pending = [];
      let client: NodeClient;
      try {
        client = await this.#connect();
      } catch (cause) {
        for (const write of group) write.reject(new NotSentError(cause));
        continue;
      }
      await this.#write(client, group);
    }
    this.#isFlushing = false;
  }

  /** Sends the writes and one `WAIT`; resolves when all are answered. */
  async #write(client: NodeClient, group: PendingWrite[]): Promise<void> {
    const { replicas, timeoutMs } = this.#durability;
    const answers = group.map(({ words }) => client.sendCommand(words));
    const waited = client.sendCommand([
      "WAIT",
      String(replicas),
      String(timeoutMs),
    ]);
    // Each is handled below; none may be unhandled meanwhile.
    for (const answer of answers) answer.catch(() => {});
    let confirmed = 0;
    try {
      confirmed = Number(await waited);
    } catch {
      // The writes themselves were answered, or share its fate.
    }
    await Promise.all(group.map(async (write, i) => {
      try {
        write.resolve({ answer: await answers[i], confirmed });
      } catch (error) {
        write.reject(error);
      }
    }));
  }

  async #connect(): Promise<NodeClient> {
    const open = await this.#connection?.catch(() => undefined);
    if (open?.isReady) return open;
    open?.destroy();
    const { timeoutMs } = this.#durability;
    this.#connection = connectOwn(
      duplicateOf(this.#node, timeoutMs + SILENT_MS),
    );
    return await this.#connection;
  }
}
