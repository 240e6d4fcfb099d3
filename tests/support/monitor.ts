/**
 * The server's own account of the commands it was sent.
 *
 * @module
 */

import { openRaw, type RawClient } from "./redis_fixture.ts";
import { waitUntil } from "./wait.ts";

/** One command: who sent it, and its words. */
export interface MonitoredCommand {
  /** The client's address; `lua` for a command a script ran. */
  readonly from: string;
  /** The command and its arguments, as the server quotes them. */
  readonly words: readonly string[];
}

/** Listens to every command a Redis executes. */
export class Monitor implements AsyncDisposable {
  readonly #client: RawClient;
  readonly #raw: RawClient;
  #commands: MonitoredCommand[] = [];

  private constructor(client: RawClient, raw: RawClient) {
    this.#client = client;
    this.#raw = raw;
  }

  /** @param raw Another connection, to mark the end of a count with. */
  static async open(url: string, raw: RawClient): Promise<Monitor> {
    const client = await openRaw(url);
    const monitor = new Monitor(client, raw);
    await client.monitor((line) => monitor.#hear(String(line)));
    return monitor;
  }

  /** Returns all commands executed while the body ran. */
  async during(body: () => Promise<unknown>): Promise<MonitoredCommand[]> {
    await this.#mark();
    this.#commands = [];
    await body();
    const end = await this.#mark();
    return this.#commands.slice(0, end);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  /** Sends a command of its own and waits until it has been received. */
  async #mark(): Promise<number> {
    const mark = crypto.randomUUID();
    await this.#raw.echo(mark);
    const index = () =>
      this.#commands.findIndex(({ words }) => words.includes(mark));
    await waitUntil("the mark heard", () => index() >= 0);
    return index();
  }

  #hear(line: string): void {
    // 1690000000.000000 [0 127.0.0.1:50000] "get" "key"
    const [, from, rest = ""] = /^[\d.]+ \[\d+ ([^\]]+)\] (.*)$/.exec(line) ??
      [];
    if (from === undefined) return;
    const words = [...rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)];
    this.#commands.push({ from, words: words.map(([, word = ""]) => word) });
  }
}
