/** The sweep of a map: entries no one asks for are freed while others write. */

/** Visits the names of a map in turn, a few at a time. */
export class Sweep {
  readonly #map: ReadonlyMap<string, unknown>;
  readonly #visit: (name: string, now: number) => void;
  #names: Iterator<string>;

  /** @param visit Looks at one entry; it may delete it. */
  constructor(
    map: ReadonlyMap<string, unknown>,
    visit: (name: string, now: number) => void,
  ) {
    this.#map = map;
    this.#visit = visit;
    this.#names = map.keys();
  }

  /**
   * Visits two entries: with one call for each that is added, every entry is
   * visited in less than two rounds of new ones.
   */
  step(now: number): void {
    for (let i = 0; i < 2; i++) {
      const next = this.#names.next();
      if (next.done) this.#names = this.#map.keys();
      else this.#visit(next.value, now);
    }
  }
}
