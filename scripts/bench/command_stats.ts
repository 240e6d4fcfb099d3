/** What the server says of its commands: `INFO commandstats`. */

import type { RawClient } from "./bed.ts";

/** Calls of a command since the last `CONFIG RESETSTAT`. */
export interface CommandStats {
  readonly calls: number;
  /** Server time of a call in microseconds, nested commands included. */
  readonly usPerCall: number;
}

/** Reads the statistics, by the command's name in lower case. */
export async function readCommandStats(
  client: RawClient,
): Promise<Map<string, CommandStats>> {
  const info = await client.info("commandstats");
  const stats = new Map<string, CommandStats>();
  for (
    const [, name = "", calls, us] of info.matchAll(
      /^cmdstat_(\S+?):calls=(\d+),usec=(\d+)/gm,
    )
  ) {
    stats.set(name, {
      calls: Number(calls),
      usPerCall: Number(us) / Math.max(1, Number(calls)),
    });
  }
  return stats;
}
