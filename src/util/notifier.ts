/** A sleeper and those who wake it: loops that wait for work or for time. */

/**
 * Wakes one sleeper. A notification that comes before the sleep ends it at
 * once, and several count as one.
 */
export class Notifier {
  #isNotified = false;
  #wake: (() => void) | undefined;

  /** Wakes the sleeper, or the next one. */
  notify(): void {
    this.#isNotified = true;
    this.#wake?.();
  }

  /**
   * Waits for a notification, and takes it.
   *
   * @param ms The longest wait, in milliseconds. Default: no bound.
   * @returns Whether there was one.
   */
  async wait(ms: number = Infinity): Promise<boolean> {
    if (!this.#isNotified) {
      await new Promise<void>((resolve) => {
        const timer = ms === Infinity ? undefined : setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    const isNotified = this.#isNotified;
    this.#isNotified = false;
    return isNotified;
  }
}
