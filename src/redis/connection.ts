/** What all backends on one client share: calls, events, and the end of both. */

import { Ending } from "../ending.ts";
import { BackendError } from "../errors.ts";
import { Caller, type CallPolicy } from "./caller.ts";
import type { OwnedClient, RedisClientLike } from "./client.ts";
import { EventHub } from "./events.ts";
import { within } from "./within.ts";

/** A client in use. Who opened it closes it: a borrowed one stays open. */
export class Connection {
  readonly caller: Caller;
  readonly events: EventHub;
  /** Over once the connection has ended. */
  readonly ended: Ending = new Ending();
  readonly #owned: OwnedClient | undefined;

  /** @param owned The client once more, if it is ours to close. */
  constructor(
    client: RedisClientLike,
    policy: CallPolicy,
    owned: OwnedClient | undefined,
  ) {
    this.caller = new Caller(client, policy);
    this.events = new EventHub(client, policy.timeoutMs);
    this.#owned = owned;
  }

  async close(): Promise<void> {
    if (this.ended.isOver) return;
    this.ended.end(closedError());
    this.events.close();
    if (this.#owned) await closeClient(this.#owned);
  }
}

/** The error of every call on a backend that was closed. */
export function closedError(): BackendError {
  return new BackendError("the Redis backend is closed", { closed: true });
}

/** How long closing waits for answers that are still owed. */
const CLOSE_MS = 2000;

/** Closes politely, but not for ever: an answer may never come. */
async function closeClient(client: OwnedClient): Promise<void> {
  if (client.isReady) await within(client.close(), CLOSE_MS).catch(() => {});
  // Still open, it waits for its server; or it was closed and still waits.
  try {
    client.destroy();
  } catch {
    // Closed and done.
  }
}
