/**
 * The server's time as far as it is known here: its last answer, carried on
 * by a clock that never jumps. Deadlines and remaining times are made of it;
 * what decides is always the server's own clock.
 */
export class ServerClock {
  /** Server time minus `performance.now()`, in milliseconds. */
  #offsetMs: number | undefined;

  /** Whether the server has told its time. */
  get isSet(): boolean {
    return this.#offsetMs !== undefined;
  }

  /** The server's time in epoch milliseconds; until it is set, our own. */
  now(): number {
    return this.#offsetMs === undefined
      ? Date.now()
      : performance.now() + this.#offsetMs;
  }

  /** @param serverMs What the server has just said, in epoch milliseconds. */
  set(serverMs: number): void {
    this.#offsetMs = serverMs - performance.now();
  }
}
