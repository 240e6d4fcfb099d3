/**
 * Counts what one call of an operation sends: round trips on the wire,
 * commands of the client, commands that its scripts run.
 *
 * @module
 */

import {
  type Bed,
  connectRaw,
  openBed,
  type RawClient,
  removeNew,
} from "./bed.ts";
import { CountingProxy } from "./counting_proxy.ts";
import type { Operation } from "./operation.ts";
import type { Settings } from "./settings.ts";

/** Counts of one call. */
export interface Counts {
  readonly roundTrips: number;
  /** Commands of the client, by their name in lower case. */
  readonly sent: ReadonlyMap<string, number>;
  /** Commands that scripts run. */
  readonly inside: number;
}

/** Calls that are counted; the lowest count is taken. */
const CALLS = 6;
/** The same for an operation that takes long. */
const CALLS_IF_SLOW = 2;

/** Counts for all operations, one call at a time. */
export async function countAll(
  settings: Settings,
  operations: (bed: Bed) => Promise<Operation[]>,
): Promise<Map<string, Counts>> {
  const proxy = await CountingProxy.open(settings.url);
  const bed = await openBed(settings, proxy.url);
  const counts = new Map<string, Counts>();
  try {
    for (const operation of await operations(bed)) {
      const { slower = 1 } = operation;
      const calls = slower < 100 ? CALLS : CALLS_IF_SLOW;
      const call = await operation.prepare(calls + 1);
      // The server then knows the scripts.
      await call(0);
      // Opened now: what `prepare` does need not be listened to.
      const monitor = await Monitor.open(settings.url);
      let lowest: Counts | undefined;
      for (let i = 1; i <= calls; i++) {
        const before = proxy.roundTrips;
        const commands = await monitor.during(() => call(i));
        const roundTrips = proxy.roundTrips - before;
        const counted = { roundTrips, ...commands };
        // None is counted where the request went along with a ping.
        if (roundTrips === 0) continue;
        if (!lowest || isLower(counted, lowest)) lowest = counted;
      }
      monitor.close();
      counts.set(operation.name, lowest!);
      await removeNew(bed.tuned);
    }
  } finally {
    await bed.close();
    proxy.close();
  }
  return counts;
}

/** A ping may come between, and some calls do more than most. */
function isLower(one: Counts, other: Counts): boolean {
  return one.roundTrips - other.roundTrips < 0 ||
    one.roundTrips === other.roundTrips && one.inside < other.inside;
}

/** Listens to what the server executes. */
class Monitor {
  #lines: string[] = [];
  readonly #listener: RawClient;
  readonly #marker: RawClient;

  private constructor(
    listener: RawClient,
    marker: RawClient,
  ) {
    this.#listener = listener;
    this.#marker = marker;
  }

  static async open(url: string): Promise<Monitor> {
    const listener = await connectRaw(url);
    const monitor = new Monitor(listener, await connectRaw(url));
    await listener.monitor((line) => monitor.#lines.push(String(line)));
    return monitor;
  }

  /** The commands executed while the body ran. */
  async during(
    body: () => Promise<unknown>,
  ): Promise<{ sent: Map<string, number>; inside: number }> {
    await this.#mark();
    this.#lines = [];
    await body();
    const end = await this.#mark();
    const sent = new Map<string, number>();
    let inside = 0;
    for (const line of this.#lines.slice(0, end)) {
      // 1690000000.000000 [0 127.0.0.1:50000] "get" "key"
      const [, from, name = ""] = /\[\d+ (\S+)\] "([^"]*)"/.exec(line) ?? [];
      const command = name.toLowerCase();
      if (from === undefined || command === "ping") continue;
      if (from === "lua") inside++;
      else sent.set(command, (sent.get(command) ?? 0) + 1);
    }
    return { sent, inside };
  }

  close(): void {
    this.#listener.destroy();
    this.#marker.destroy();
  }

  /** Sends a command no other client sends, and waits until it is seen. */
  async #mark(): Promise<number> {
    const mark = crypto.randomUUID();
    await this.#marker.echo(mark);
    const index = () => this.#lines.findIndex((line) => line.includes(mark));
    while (index() < 0) await new Promise((resolve) => setTimeout(resolve, 1));
    return index();
  }
}
