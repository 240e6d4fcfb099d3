/** What the server says of its commands: `INFO commandstats`. */

import type { RawClient } from "./bed.ts";

/** Calls of a command since the last `CONFIG RESETSTAT`. */
export interface CommandStats {
  readonly calls: number;
  /** Server time of all of them in microseconds, nested commands included. */
  readonly us: number;
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
      us: Number(us),
    });
  }
  return stats;
}
