/**
 * Finds connections that have gone silent. A socket's own timeout does not:
 * each command that is written restarts it, so that a busy connection without
 * a single answer is kept until the operating system gives up.
 *
 * @module
 */

import type { NodeClient } from "./client_like.ts";

/** The time between two questions to a connection, in milliseconds. */
const TICK_MS = 750;

/** After how many ticks without an answer a connection counts as silent. */
const SILENT_TICKS = 4;

/**
 * The longest time a socket may be without any traffic, in milliseconds. Bounds
 * the handshake, during which there is no `PING` yet.
 */
export const SOCKET_TIMEOUT_MS = 4000;

/** Pings connections and reports those that do not answer within 4 s. */
export class Watchdog {
  readonly #clients: () => Iterable<NodeClient>;
  readonly #onSilent: (client: NodeClient) => void;
  /** Ticks since the PING that is not answered yet. */
  readonly #pending = new Map<NodeClient, number>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param clients The connections there are at the moment. */
  constructor(
    clients: () => Iterable<NodeClient>,
    onSilent: (client: NodeClient) => void,
  ) {
    this.#clients = clients;
    this.#onSilent = onSilent;
  }

  /** Begins to ask; a second call does nothing. */
  start(): this {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return this;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#pending.clear();
  }

  /**
   * Counts ticks, not time: after a process was busy with something else for
   * long, there is one tick, and then the answers that came meanwhile.
   */
  #tick(): void {
    for (const client of this.#clients()) {
      if (!client.isReady) {
        this.#pending.delete(client);
        continue;
      }
      const ticks = this.#pending.get(client);
      if (ticks === undefined) {
        this.#ping(client);
      } else if (ticks + 1 < SILENT_TICKS) {
        this.#pending.set(client, ticks + 1);
      } else {
        this.#pending.delete(client);
        this.#onSilent(client);
      }
    }
  }

  #ping(client: NodeClient): void {
    this.#pending.set(client, 0);
    // An error reply is an answer, and a lost connection is not silent.
    const answered = () => this.#pending.delete(client);
    client.sendCommand(["PING"], { timeout: 0 }).then(answered, answered);
  }
}

/** Replaces the connection of a client that is not to be closed. */
export function reconnect(client: NodeClient): void {
  client.destroy();
  // Its own strategy repeats this until it succeeds; what goes wrong meanwhile
  // reaches callers through their commands.
  client.connect().catch(() => {});
}
