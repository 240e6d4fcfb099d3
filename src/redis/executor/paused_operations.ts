/** Operations between two tries. */

import type { BackendError } from "../../storage/errors.ts";
import type { Operation } from "./operation.ts";
import { pauseBefore } from "./retry.ts";

type Retry = (operation: Operation<unknown>) => void;

/** Operations that wait for their next try, each with a timer. */
export class PausedOperations {
  readonly #retry: Retry;
  readonly #timers = new Map<
    Operation<unknown>,
    ReturnType<typeof setTimeout>
  >();

  /** @param retry Tries an operation again; it is no longer paused then. */
  constructor(retry: Retry) {
    this.#retry = retry;
  }

  /** Pauses an operation: it is tried again, unless it is settled before. */
  add(operation: Operation<unknown>): void {
    const retry = () => {
      this.#timers.delete(operation);
      if (!operation.isSettled) this.#retry(operation);
    };
    this.#timers.set(
      operation,
      setTimeout(retry, pauseBefore(operation.tries)),
    );
    operation.onSettled = () => this.#end(operation);
  }

  /** Ends the pause of those that wait for a new connection. */
  onReady(): void {
    for (const operation of [...this.#timers.keys()]) {
      // A command that was lost on the last connection keeps its pause: it may
      // be what ends connections.
      if (!operation.waitsUntilReady) continue;
      this.#end(operation);
      this.#retry(operation);
    }
  }

  /** Fails all of them with the error of a backend that was closed. */
  failAtClose(closed: BackendError): void {
    for (const operation of [...this.#timers.keys()]) {
      operation.failAtClose(closed);
    }
  }

  #end(operation: Operation<unknown>): void {
    clearTimeout(this.#timers.get(operation));
    this.#timers.delete(operation);
  }
}
