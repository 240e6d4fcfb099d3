/**
 * The network of one instance: a proxy of its own in front of every node, and
 * what goes wrong on all of them, by chance.
 */

import {
  FaultyProxy,
  type NetworkFault,
  type PlannedFault,
} from "./faulty_proxy.ts";
import type { Random } from "./random.ts";

/** How often each fault is drawn, and how long it lasts, in milliseconds. */
const WEIGHTS: readonly (readonly [number, NetworkFault, number, number])[] = [
  [3, "cut request", 0, 0],
  [2, "cut mid request", 0, 0],
  [5, "cut answer", 0, 0],
  [3, "truncate answer", 0, 0],
  [1, "swallow request", 20, 400],
  [2, "swallow answer", 20, 400],
  [3, "hold request", 1, 300],
  [2, "delay request", 1, 60],
  [2, "delay answer", 1, 60],
];

/** Of the silences, so many last so long that the client must notice them. */
const LONG_SILENCE = { chance: 0.02, forMs: 7_000 };

/** Counts what happened, by kind. */
export class FaultCounts {
  readonly #counts = new Map<string, number>();

  add(kind: string): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, n) => sum + n, 0);
  }

  /** Kinds by how often they happened. */
  get sorted(): [string, number][] {
    return [...this.#counts].toSorted((a, b) => b[1] - a[1]);
  }
}

/** When the next fault is due, over all instances: one in so many calls. */
export class FaultSchedule {
  readonly #random: Random;
  readonly #everyCalls: number;
  readonly #callsSoFar: () => number;
  readonly #counts: FaultCounts;
  #dueAt = 0;
  /** Off while a run starts and ends. */
  enabled = false;

  constructor(
    { random, everyCalls, callsSoFar, counts }: {
      readonly random: Random;
      readonly everyCalls: number;
      readonly callsSoFar: () => number;
      readonly counts: FaultCounts;
    },
  ) {
    this.#random = random;
    this.#everyCalls = everyCalls;
    this.#callsSoFar = callsSoFar;
    this.#counts = counts;
  }

  /** What happens to a burst that is sent now. */
  next(): PlannedFault | undefined {
    const calls = this.#callsSoFar();
    if (!this.enabled || calls < this.#dueAt) return undefined;
    this.#dueAt = calls + this.#random.integer(1, 2 * this.#everyCalls);
    const [kind, least, most] = this.#random.weighted(
      WEIGHTS.map(([weight, ...fault]) => [weight, fault] as const),
    );
    this.#counts.add(kind);
    const isLong = kind.startsWith("swallow") &&
      this.#random.chance(LONG_SILENCE.chance);
    return {
      kind,
      forMs: isLong ? LONG_SILENCE.forMs : this.#random.integer(least, most),
    };
  }
}

/** See the module. */
export class Network implements AsyncDisposable {
  readonly #schedule: FaultSchedule;
  readonly #proxies = new Map<number, FaultyProxy>();

  constructor(schedule: FaultSchedule) {
    this.#schedule = schedule;
  }

  /** The port that stands for the server at this port. */
  portOf(server: number): number {
    let proxy = this.#proxies.get(server);
    if (!proxy) {
      proxy = new FaultyProxy(server);
      proxy.plan = () => this.#schedule.next();
      this.#proxies.set(server, proxy);
    }
    return proxy.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.#proxies.values()) {
      await proxy[Symbol.asyncDispose]();
    }
  }
}
