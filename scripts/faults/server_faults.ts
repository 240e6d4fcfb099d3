/** What goes wrong on a server while a run goes on. */

import { createClient } from "redis";
import type { RedisServer } from "../lib/redis_server.ts";
import type { FaultCounts } from "./network.ts";
import type { Random } from "./random.ts";
import { UnplannedFailover } from "./unplanned_failover.ts";

/** A fault of a server or a topology, and how often it is drawn. */
export interface ServerFault {
  readonly weight: number;
  readonly kind: string;
  /** Whether the run cannot go on if it fails. */
  readonly isVital?: boolean;
  run(random: Random): Promise<void>;
}

/** Runs commands on a connection of their own. */
export async function command(
  port: number,
  ...commands: readonly (readonly string[])[]
): Promise<unknown[]> {
  const client = createClient({
    url: `redis://127.0.0.1:${port}`,
    socket: { reconnectStrategy: false, connectTimeout: 2000 },
    commandOptions: { timeout: 5000 },
  });
  client.on("error", () => {});
  await client.connect();
  try {
    const answers: unknown[] = [];
    for (const words of commands) {
      answers.push(await client.sendCommand([...words]));
    }
    return answers;
  } finally {
    client.destroy();
  }
}

/** Faults that need no more than one running server, drawn each time. */
export function commonFaults(
  aServer: (random: Random) => RedisServer,
): ServerFault[] {
  return [
    {
      weight: 4,
      kind: "CLIENT KILL",
      run: async (random) => {
        await command(aServer(random).port, [
          "CLIENT",
          "KILL",
          "TYPE",
          "normal",
        ]);
      },
    },
    {
      weight: 3,
      kind: "CLIENT PAUSE",
      run: async (random) => {
        const ms = `${random.integer(20, 300)}`;
        const mode = random.pick(["ALL", "WRITE"]);
        await command(aServer(random).port, ["CLIENT", "PAUSE", ms, mode]);
      },
    },
    {
      weight: 3,
      kind: "SIGSTOP",
      run: async (random) => {
        const { pid } = aServer(random);
        Deno.kill(pid, "SIGSTOP");
        try {
          await pause(random.integer(20, 500));
        } finally {
          Deno.kill(pid, "SIGCONT");
        }
      },
    },
    {
      weight: 4,
      kind: "SCRIPT FLUSH",
      run: async (random) => {
        await command(aServer(random).port, ["SCRIPT", "FLUSH"]);
      },
    },
  ];
}

/** Draws faults one after the other until the run is over. */
export async function runServerFaults(
  { faults, random, counts, everyMs, isOver }: {
    readonly faults: readonly ServerFault[];
    readonly random: Random;
    readonly counts: FaultCounts;
    readonly everyMs: number;
    readonly isOver: () => boolean;
  },
): Promise<void> {
  const weighted = faults.map((fault) => [fault.weight, fault] as const);
  while (!isOver()) {
    await pause(random.integer(everyMs >> 1, everyMs + (everyMs >> 1)));
    if (isOver()) return;
    const fault = random.weighted(weighted);
    counts.add(fault.kind);
    try {
      await fault.run(random);
    } catch (error) {
      console.error(`${fault.kind} failed: ${error}`);
      if (fault.isVital || error instanceof UnplannedFailover) throw error;
    }
  }
}

/** A pause between two faults. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for a condition of servers that are being changed. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!await condition().catch(() => false)) {
    if (Date.now() > endMs) throw new Error(`${what}: not in ${timeoutMs} ms`);
    await pause(50);
  }
}
