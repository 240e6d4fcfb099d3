/** Something that ends once; backends, connections and streams do. */

/**
 * An end that any number can wait for: what an `AbortSignal` is, without
 * Node's warning beyond ten listeners of one signal.
 */
export class Ending {
  readonly #listeners = new Set<(reason: unknown) => void>();
  #reason: unknown;
  #isOver = false;

  get isOver(): boolean {
    return this.#isOver;
  }

  throwIfOver(): void {
    if (this.#isOver) throw this.#reason;
  }

  /** Ends it; only the first call counts. */
  end(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reason = reason;
    for (const listener of [...this.#listeners]) listener(reason);
    this.#listeners.clear();
  }

  /**
   * Calls back at the end, at once if that is over.
   *
   * @returns How to be called back no more.
   */
  subscribe(listener: (reason: unknown) => void): () => void {
    if (this.#isOver) listener(this.#reason);
    else this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}
