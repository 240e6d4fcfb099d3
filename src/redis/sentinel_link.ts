/** Links over a client of the master that Sentinels name. */

import { BaseLink, closeClient } from "./base_link.ts";
import {
  COMMAND_OPTIONS,
  type NodeClient,
  type SentinelClient,
} from "./client_like.ts";
import { isErrorReply, MaybeSentError, NotSentError } from "./send_errors.ts";
import { Watchdog } from "./watchdog.ts";

/** What both have in common. */
abstract class SentinelLink extends BaseLink {
  readonly kind = "sentinel";
  protected readonly sentinel: SentinelClient;

  constructor(sentinel: SentinelClient) {
    super();
    this.sentinel = sentinel;
    this.attach(sentinel, "ready");
    this.attach(sentinel, "topology-change");
    this.attach(sentinel, "end");
  }

  get isOpen(): boolean {
    return this.sentinel.isOpen;
  }

  nodeOf(_key: string): Promise<NodeClient> {
    return this.sentinel._execute(false, (client) => client);
  }
}

/**
 * A link over a borrowed sentinel. Every command is lent a client of the
 * master, so that it keeps out of what the owner does on one of its own.
 */
export class BorrowedSentinelLink extends SentinelLink {
  readonly #commands: SentinelClient;
  readonly #resends: boolean;
  #inFlight = 0;
  /** Set while the client of the master is being lent to the first command. */
  #lending?: Promise<void> | undefined;

  /**
   * @param resends Whether it sends a command again by itself, and shows only
   * the error of the last time.
   */
  constructor(sentinel: SentinelClient, resends: boolean) {
    super(sentinel);
    this.#commands = sentinel.withCommandOptions(COMMAND_OPTIONS);
    this.#resends = resends;
  }

  get isReady(): boolean {
    return this.sentinel.isReady;
  }

  /**
   * Commands share one loan, and while it lasts, so does the wait of those
   * that asked for one of their own in the tick in which it began: under load
   * they would not come to their turn. So these wait for the loan instead.
   */
  send(_key: string, readonly: boolean, args: string[]): Promise<unknown> {
    const isFirst = this.#inFlight++ === 0;
    const sent = this.#lending === undefined || isFirst
      ? this.#commands.sendCommand(readonly, args)
      : this.#lending.then(() => this.#commands.sendCommand(readonly, args));
    if (isFirst) {
      const lending = lent().then(() => {
        if (this.#lending === lending) this.#lending = undefined;
      });
      this.#lending = lending;
    }
    return sent.then(this.#answered, this.#rejected);
  }

  readonly #answered = (answer: unknown) => {
    this.#inFlight--;
    return answer;
  };

  readonly #rejected = (error: unknown) => {
    this.#inFlight--;
    throw this.#resends && !isErrorReply(error)
      ? new MaybeSentError(error)
      : error;
  };
}

/** Resolves when node-redis has noted the loan it made to a first command. */
async function lent(): Promise<void> {
  await undefined;
  await undefined;
  await undefined;
}

/**
 * A link over a sentinel of ours. Commands go to the client of the master
 * itself: nothing is in between that would send them a second time.
 */
export class OwnedSentinelLink extends SentinelLink {
  readonly #readsFromReplicas: boolean;
  readonly #watchdog: Watchdog;
  #master?: NodeClient;
  #commands?: NodeClient;
  #finding?: Promise<NodeClient> | undefined;

  /** @param readsFromReplicas Whether it was given clients of replicas. */
  constructor(sentinel: SentinelClient, readsFromReplicas: boolean) {
    super(sentinel);
    this.#readsFromReplicas = readsFromReplicas;
    this.#watchdog = new Watchdog(
      () => this.#master ? [this.#master] : [],
      // The sentinel opens another one for the next command.
      (client) => client.destroy(),
    ).start();
  }

  get isReady(): boolean {
    return this.#commands !== undefined && this.#commands.isReady;
  }

  send(_key: string, readonly: boolean, args: string[]): Promise<unknown> {
    if (readonly && this.#readsFromReplicas) {
      return this.sentinel.withCommandOptions(COMMAND_OPTIONS)
        .sendCommand(true, args);
    }
    if (this.#commands?.isReady) return this.#commands.sendCommand(args);
    // Waiting for it here would look like waiting for an answer.
    this.#find().catch(() => {});
    return Promise.reject(new NotSentError("the master is being looked for"));
  }

  override async nodeOf(_key: string): Promise<NodeClient> {
    if (!this.#master?.isReady) await this.#find();
    return this.#master!;
  }

  /** Asks for the client of the master, which may be another by now. */
  #find(): Promise<NodeClient> {
    return this.#finding ??= this.#adoptMaster().finally(() => {
      this.#finding = undefined;
    });
  }

  async #adoptMaster(): Promise<NodeClient> {
    let master: NodeClient;
    try {
      master = await super.nodeOf("");
    } catch (cause) {
      throw new NotSentError(cause);
    }
    if (master !== this.#master) {
      this.#master = master;
      this.#commands = master.withCommandOptions(COMMAND_OPTIONS);
      this.attach(master, "ready");
      this.notifyReady();
    }
    return this.#commands!;
  }

  protected override async closeOwned(): Promise<void> {
    this.#watchdog.stop();
    await closeClient(this.sentinel, this.isReady);
  }
}
