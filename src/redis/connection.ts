/**
 * The common part of all backends on one client: calls, events, and the end of
 * both.
 */

import type { BackendError } from "../storage/errors.ts";
import { CloseSignal } from "../util/close_signal.ts";
import { EventHub } from "./events.ts";
import { DurableWriter } from "./executor/durability.ts";
import { ScriptExecutor } from "./executor/executor.ts";
import type { RedisLink } from "./link_types.ts";
import type { ResolvedOptions } from "./options.ts";
import { closedError } from "./replies.ts";

/** A link in use. */
export class Connection {
  readonly link: RedisLink;
  readonly executor: ScriptExecutor;
  readonly events: EventHub;
  /** Closed once the connection has ended. */
  readonly ended: CloseSignal = new CloseSignal();
  readonly #durable: DurableWriter | undefined;

  constructor(link: RedisLink, { timeoutMs, durability }: ResolvedOptions) {
    this.link = link;
    this.#durable = durability && new DurableWriter(link, durability);
    this.executor = new ScriptExecutor(link, {
      timeoutMs,
      ...(durability
        ? { durable: { writer: this.#durable!, ...durability } }
        : {}),
    });
    this.events = new EventHub({
      open: () => link.openSubscriber(),
      timeoutMs,
    });
  }

  async close(): Promise<void> {
    if (this.ended.isClosed) return;
    const reason: BackendError = closedError();
    this.ended.end(reason);
    this.executor.close(reason);
    this.#durable?.close();
    await Promise.all([this.events.close(), this.link.close()]);
    // On a borrowed client, answers can still come.
    await this.executor.drain();
  }
}
