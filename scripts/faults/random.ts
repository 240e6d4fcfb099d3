/** Chance that can be repeated: a run is its seed. */

/** Numbers from 0 to below 1, from a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** An integer from `min` to `max`. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** Whether something of this probability happens. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of several. */
  pick<T>(of: readonly T[]): T {
    return of[this.integer(0, of.length - 1)]!;
  }

  /** One of several, by weight. */
  weighted<T>(of: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.next() * of.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of of) {
      left -= weight;
      if (left < 0) return value;
    }
    return of.at(-1)![1];
  }

  /** Another source of chance, for a part that runs beside others. */
  fork(): Random {
    return new Random(this.integer(0, 0xffffffff));
  }
}
