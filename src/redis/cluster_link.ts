/** A link over a client of a Cluster. */

import { BaseLink, closeClient } from "./base_link.ts";
import {
  type ClusterClient,
  COMMAND_OPTIONS,
  type NodeClient,
} from "./client_like.ts";
import { reconnect, Watchdog } from "./watchdog.ts";

/** See the module. */
export class ClusterLink extends BaseLink {
  readonly kind = "cluster";
  readonly #cluster: ClusterClient;
  readonly #commands: ClusterClient;
  readonly #watchdog: Watchdog | undefined;

  /** @param owned Whether the client is ours, to watch over and to close. */
  constructor(cluster: ClusterClient, owned: boolean) {
    super();
    this.#cluster = cluster;
    this.#commands = cluster.withCommandOptions(COMMAND_OPTIONS);
    this.#watchdog = owned
      ? new Watchdog(() => clientsOf(cluster), reconnect).start()
      : undefined;
    this.attach(cluster, "node-ready", "node-disconnect", "disconnect");
  }

  get isOpen(): boolean {
    return this.#cluster.isOpen;
  }

  get isReady(): boolean {
    return this.#cluster.isReady;
  }

  send(key: string, _readonly: boolean, args: string[]): Promise<unknown> {
    return this.#commands.sendCommand(key, false, args);
  }

  async nodeOf(key: string): Promise<NodeClient> {
    return await this.#cluster.getNodeClientForKey(key, false);
  }

  override async rediscover(key: string): Promise<void> {
    try {
      // A command that is redirected makes the client ask for the topology.
      await this.#commands.sendCommand(key, false, ["HMGET", key, "version"]);
    } catch {
      // The next command says why.
    }
  }

  override async nodeAt(address: string): Promise<NodeClient | undefined> {
    const node = this.#cluster.nodeByAddress.get(address);
    return node && await this.#cluster.nodeClient(node);
  }

  protected override async closeOwned(): Promise<void> {
    if (this.#watchdog === undefined) return;
    this.#watchdog.stop();
    const clients = [...clientsOf(this.#cluster)];
    // A node that is away would be waited for.
    const isReady = this.#cluster.isReady &&
      clients.every((client) => client.isReady);
    await closeClient(this.#cluster, isReady);
    for (const client of clients) {
      if (client.isOpen) client.destroy();
    }
  }
}

function* clientsOf(cluster: ClusterClient): Iterable<NodeClient> {
  for (const nodes of [cluster.masters, cluster.replicas]) {
    for (const { client } of nodes) {
      if (client) yield client;
    }
  }
}
