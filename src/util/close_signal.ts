/** Something that ends once; backends, connections and streams do. */

/**
 * An end that any number can wait for: what an `AbortSignal` is, without
 * Node's warning beyond ten listeners of one signal.
 */
export class CloseSignal {
  readonly #listeners = new Set<(reason: unknown) => void>();
  #reason: unknown;
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  throwIfClosed(): void {
    if (this.#isClosed) throw this.#reason;
  }

  /** Ends it; only the first call counts. */
  end(reason: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
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
    if (this.#isClosed) listener(this.#reason);
    else this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}
