/** What is asked of a server once, after connecting. */

import { BackendError } from "../storage/errors.ts";
import type { RedisLink, WarningListener } from "./link_types.ts";

/** The oldest versions that have all that is needed, as `[major, minor]`. */
const OLDEST = { redis: [7, 0], valkey: [7, 2] } as const;

/**
 * Refuses a server that is too old, and warns of one that may evict keys.
 *
 * @throws {BackendError} If the server is older than needed.
 */
export async function checkServer(
  link: RedisLink,
  onWarning: WarningListener,
): Promise<void> {
  let info: Map<string, string>;
  try {
    // On a Cluster, any master speaks for all.
    const texts = await Promise.all(
      ["server", "memory"].map((part) => link.send("", false, ["INFO", part])),
    );
    info = parseInfo(texts.join("\n"));
  } catch {
    // A user may not be allowed to ask: then nothing is known.
    return;
  }
  requireVersion(info);
  const policy = info.get("maxmemory_policy");
  const limit = Number(info.get("maxmemory") ?? 0);
  if (policy !== undefined && policy !== "noeviction" && limit > 0) {
    onWarning(
      `Redis evicts keys when its memory is full (maxmemory-policy ${policy}): an evicted task is lost; set noeviction`,
    );
  }
}

function requireVersion(info: ReadonlyMap<string, string>): void {
  const valkey = info.get("valkey_version");
  const version = valkey ?? info.get("redis_version");
  if (version === undefined) return;
  const [major, minor] = OLDEST[valkey === undefined ? "redis" : "valkey"];
  const [actualMajor = 0, actualMinor = 0] = version.split(".").map(Number);
  if (actualMajor > major || (actualMajor === major && actualMinor >= minor)) {
    return;
  }
  const name = valkey === undefined ? "Redis" : "Valkey";
  throw new BackendError(
    `the server is ${name} ${version}: Redis >= 7.0 or Valkey >= 7.2 is needed`,
  );
}

function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
