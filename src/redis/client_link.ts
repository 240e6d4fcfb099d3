/** Links over a client of one server, and over a pool of such clients. */

import { BaseLink, closeClient } from "./base_link.ts";
import {
  COMMAND_OPTIONS,
  type NodeClient,
  type PoolClient,
} from "./client_like.ts";
import { NotSentError } from "./send_errors.ts";
import { reconnect, Watchdog } from "./watchdog.ts";

/** A link over one client. */
export class ClientLink extends BaseLink {
  readonly kind = "client";
  readonly #client: NodeClient;
  readonly #commands: NodeClient;
  readonly #watchdog: Watchdog | undefined;

  /** @param owned Whether the client is ours, to watch over and to close. */
  constructor(client: NodeClient, owned: boolean) {
    super();
    this.#client = client;
    this.#commands = client.withCommandOptions(COMMAND_OPTIONS);
    this.#watchdog = owned
      ? new Watchdog(() => [client], reconnect).start()
      : undefined;
    this.attach(client, "ready", ...owned ? [] : ["end"]);
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  get isReady(): boolean {
    return this.#client.isReady;
  }

  send(_key: string, _readonly: boolean, args: string[]): Promise<unknown> {
    // A queue of the client's own would send it whenever it is back.
    return this.#client.isReady || !this.#client.isOpen
      ? this.#commands.sendCommand(args)
      : Promise.reject(new NotSentError("the client is not connected"));
  }

  nodeOf(_key: string): Promise<NodeClient> {
    return Promise.resolve(this.#client);
  }

  protected override async closeOwned(): Promise<void> {
    if (this.#watchdog === undefined) return;
    this.#watchdog.stop();
    await closeClient(this.#client, this.#client.isReady);
  }
}

/** A link over a borrowed pool. */
export class PoolLink extends BaseLink {
  readonly kind = "pool";
  readonly #pool: PoolClient;
  readonly #commands: PoolClient;
  /** One of its clients, for the options. */
  #member?: NodeClient;
  #detach?: () => void;

  constructor(pool: PoolClient) {
    super();
    this.#pool = pool;
    this.#commands = pool.withCommandOptions(COMMAND_OPTIONS);
  }

  get isOpen(): boolean {
    return this.#pool.isOpen && !this.#pool.isClosing;
  }

  get isReady(): boolean {
    return this.isOpen;
  }

  send(_key: string, _readonly: boolean, args: string[]): Promise<unknown> {
    return this.#commands.sendCommand(args);
  }

  async nodeOf(_key: string): Promise<NodeClient> {
    if (this.#member?.isOpen && this.isOpen) return this.#member;
    const member = await this.#pool.execute((client) => client);
    if (this.#member !== member) {
      this.#member = member;
      this.#detach?.();
      // A pool itself does not tell that it was closed.
      this.#detach = this.attach(member, "end", "ready");
    }
    return member;
  }
}
