/** One timer for a moment that moves; feeds sleep by it. */

/** The longest time a timer can wait: 32 bits of milliseconds. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/**
 * Calls back once a moment has come, on the clock of `performance.now`. The
 * moment is asked for again when the timer fires, so that putting it off costs
 * nothing. It does not keep a process alive.
 */
export class WakeTimer {
  readonly #momentMs: () => number;
  readonly #onDue: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #firesAtMs = Infinity;

  /**
   * @param momentMs The moment; `Infinity`: never.
   * @param onDue Called when it has come; the timer is stopped then.
   */
  constructor(momentMs: () => number, onDue: () => void) {
    this.#momentMs = momentMs;
    this.#onDue = onDue;
  }

  /** Sees to it that the timer fires no later than the moment. */
  arm(): void {
    const momentMs = this.#momentMs();
    if (this.#timer !== undefined && this.#firesAtMs <= momentMs) return;
    this.stop();
    if (momentMs === Infinity) return;
    const nowMs = performance.now();
    const sleepMs = Math.min(Math.max(momentMs - nowMs, 1), MAX_TIMER_MS);
    this.#firesAtMs = nowMs + sleepMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (performance.now() >= this.#momentMs()) this.#onDue();
      else this.arm();
    }, sleepMs);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  /** Stops it; `arm` starts it again. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
