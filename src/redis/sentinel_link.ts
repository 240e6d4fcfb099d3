/** Links over a client of the master that Sentinels name. */

import { ClientClosedError } from "redis";
import { BaseLink, closeClient } from "./base_link.ts";
import {
  COMMAND_OPTIONS,
  type NodeClient,
  type SentinelClient,
} from "./client_like.ts";
import { NotSentError } from "./send_errors.ts";
import { Watchdog } from "./watchdog.ts";

/** The common part of both. */
abstract class SentinelLink extends BaseLink {
  readonly kind = "sentinel";
  protected readonly sentinel: SentinelClient;

  constructor(sentinel: SentinelClient) {
    super();
    this.sentinel = sentinel;
    this.attach(sentinel, "ready", "topology-change", "end");
  }

  get isOpen(): boolean {
    return this.sentinel.isOpen;
  }

  nodeOf(_key: string): Promise<NodeClient> {
    return this.sentinel._execute(false, (client) => client);
  }
}

/** The longest time a command may wait for a loan, in milliseconds. */
const MAX_HELD_MS = 250;

function noMaster(): NotSentError {
  return new NotSentError("the master is being looked for");
}

/** A client of the master, lent by the sentinel for as long as it is in use. */
interface Loan {
  readonly client: NodeClient;
  readonly commands: NodeClient;
  inFlight: number;
  giveBack(): void;
}

/** A command that waits for a loan. */
interface HeldCommand {
  readonly args: string[];
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/**
 * A link over a borrowed sentinel. All commands that overlap share one loan
 * and go to the client that was lent. The sentinel's own `sendCommand` takes a
 * loan for each, by which a later command can overtake an earlier one, and
 * sends again what may have been executed.
 */
export class BorrowedSentinelLink extends SentinelLink {
  readonly #held: HeldCommand[] = [];
  #loan?: Loan | undefined;
  #isAsking = false;
  #isLate = false;

  get isReady(): boolean {
    return this.sentinel.isReady;
  }

  send(_key: string, _readonly: boolean, args: string[]): Promise<unknown> {
    const loan = this.#loan;
    // While commands are held, a later one must not overtake them.
    if (loan?.commands.isReady && !this.#isAsking) {
      return this.#sendOn(loan, args);
    }
    if (this.#isLate) return Promise.reject(noMaster());
    return new Promise((resolve, reject) => {
      this.#held.push({ args, resolve, reject });
      if (!this.#isAsking) this.#ask();
    });
  }

  override nodeOf(key: string): Promise<NodeClient> {
    // Under load another loan would be waited for without end.
    const client = this.#loan?.client;
    return client?.isReady ? Promise.resolve(client) : super.nodeOf(key);
  }

  #sendOn(loan: Loan, args: string[]): Promise<unknown> {
    loan.inFlight++;
    const sent = loan.commands.sendCommand(args);
    const answered = () => {
      if (--loan.inFlight > 0) return;
      if (this.#loan === loan) this.#loan = undefined;
      loan.giveBack();
    };
    sent.then(answered, answered);
    return sent;
  }

  /** Asks for a loan, and sends what is held once it is made. */
  #ask(): void {
    this.#isAsking = true;
    // A command that is held would look like one whose answer is owed.
    const timer = setTimeout(() => {
      this.#isLate = true;
      for (const { reject } of this.#held.splice(0)) reject(noMaster());
    }, MAX_HELD_MS);
    const answered = () => {
      clearTimeout(timer);
      this.#isAsking = false;
      this.#isLate = false;
    };
    this.sentinel._execute(false, (client) =>
      // Never rejects: the sentinel would begin again.
      new Promise<void>((giveBack) => {
        const commands = client.withCommandOptions(COMMAND_OPTIONS);
        const loan: Loan = { client, commands, inFlight: 0, giveBack };
        const wasLate = this.#isLate;
        answered();
        this.#loan = loan;
        for (const { args, resolve, reject } of this.#held.splice(0)) {
          this.#sendOn(loan, args).then(resolve, reject);
        }
        if (wasLate) this.notifyReady();
        if (loan.inFlight > 0) return;
        this.#loan = undefined;
        giveBack();
      })).catch((cause) => {
        answered();
        const error = this.isOpen
          ? new NotSentError(cause)
          : new ClientClosedError();
        for (const { reject } of this.#held.splice(0)) reject(error);
      });
  }
}

/**
 * A link over a sentinel of ours. Commands go to the client of the master
 * itself: nothing is in between that would send them a second time.
 */
export class OwnedSentinelLink extends SentinelLink {
  readonly #watchdog: Watchdog;
  #master?: NodeClient;
  #commands?: NodeClient;
  #detach?: () => void;
  #finding?: Promise<NodeClient> | undefined;

  constructor(sentinel: SentinelClient) {
    super(sentinel);
    this.#watchdog = new Watchdog(
      () => this.#master ? [this.#master] : [],
      // The sentinel opens another one for the next command.
      (client) => client.destroy(),
    ).start();
  }

  get isReady(): boolean {
    return this.#commands !== undefined && this.#commands.isReady;
  }

  send(_key: string, _readonly: boolean, args: string[]): Promise<unknown> {
    if (this.#commands?.isReady) return this.#commands.sendCommand(args);
    // Waiting for it here would look like waiting for an answer.
    this.#find().catch(() => {});
    return Promise.reject(noMaster());
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
      this.#detach?.();
      this.#detach = this.attach(master, "ready");
      this.notifyReady();
    }
    return this.#commands!;
  }

  protected override async closeOwned(): Promise<void> {
    this.#watchdog.stop();
    await closeClient(this.sentinel, this.isReady);
  }
}
