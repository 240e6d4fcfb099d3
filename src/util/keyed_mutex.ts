/** Turns by key: of all steps with one key, one runs at a time, in order. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs a step when all earlier ones of its key have ended. */
  run<T>(key: string, step: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const turn = before === undefined ? step() : before.then(step, step);
    this.#last.set(key, turn);
    const leave = () => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    };
    turn.then(leave, leave);
    return turn;
  }
}
