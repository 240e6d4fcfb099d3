/** What all backends on one client share: calls, events, and the end of both. */

import { CloseSignal } from "../util/close_signal.ts";
import { BackendError } from "../storage/errors.ts";
import { type RetryPolicy, ScriptExecutor } from "./executor/executor.ts";
import type { OwnedClient, RedisClientLike } from "./connect.ts";
import { EventHub } from "./events.ts";
import { deadline } from "../util/deadline.ts";

/** A client in use. Who opened it closes it: a borrowed one stays open. */
export class Connection {
  readonly caller: ScriptExecutor;
  readonly events: EventHub;
  /** Over once the connection has ended. */
  readonly ended: CloseSignal = new CloseSignal();
  readonly #owned: OwnedClient | undefined;

  /** @param owned The client once more, if it is ours to close. */
  constructor(
    client: RedisClientLike,
    policy: RetryPolicy,
    owned: OwnedClient | undefined,
  ) {
    this.caller = new ScriptExecutor(client, policy);
    this.events = new EventHub(client, policy.timeoutMs);
    this.#owned = owned;
  }

  async close(): Promise<void> {
    if (this.ended.isClosed) return;
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
  if (client.isReady) await deadline(client.close(), CLOSE_MS).catch(() => {});
  // Still open, it waits for its server; or it was closed and still waits.
  try {
    client.destroy();
  } catch {
    // Closed and done.
  }
}
