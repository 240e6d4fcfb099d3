/** Checks a server once, when a connection to it is opened. */

import { BackendError } from "../storage/errors.ts";
import type { NodeClient } from "./client_like.ts";
import type { WarningListener } from "../storage/warnings.ts";
import { isErrorReply } from "./send_errors.ts";

/**
 * Checks a server's version and eviction policy, in one round trip. A user
 * that may not ask is not refused.
 *
 * @throws {BackendError} If the server is too old.
 */
export async function checkServer(
  client: NodeClient,
  address: string,
  onWarning: WarningListener,
): Promise<void> {
  const [server, memory] = await Promise.all([
    ask(client, "server"),
    ask(client, "memory"),
  ]);
  const { name, version, oldest } = versionOf(server);
  if (version !== undefined && isOlder(version, oldest)) {
    throw new BackendError(
      `${name} ${version} at ${address} is too old: expected Redis >= 7.0 or Valkey >= 7.2`,
    );
  }
  const policy = memory.get("maxmemory_policy");
  const limit = Number(memory.get("maxmemory"));
  if (policy !== undefined && policy !== "noeviction" && limit > 0) {
    onWarning(
      `the server at ${address} deletes keys when it runs out of memory (maxmemory-policy is ${policy}, maxmemory ${limit} bytes): tasks can vanish before their time; set maxmemory-policy to noeviction`,
    );
  }
}

async function ask(
  client: NodeClient,
  section: string,
): Promise<ReadonlyMap<string, string>> {
  const fields = new Map<string, string>();
  try {
    const text = String(await client.sendCommand(["INFO", section]));
    for (const [, name, value] of text.matchAll(/^(\w+):(.*?)\r?$/gm)) {
      fields.set(name!, value!);
    }
  } catch (error) {
    if (!isErrorReply(error)) throw error;
  }
  return fields;
}

/** Valkey and other forks also name a version of Redis they are like. */
function versionOf(server: ReadonlyMap<string, string>) {
  const valkey = server.get("valkey_version");
  return valkey === undefined
    ? {
      name: "Redis",
      version: server.get("redis_version"),
      oldest: [7, 0] as const,
    }
    : { name: "Valkey", version: valkey, oldest: [7, 2] as const };
}

function isOlder(
  version: string,
  [major, minor]: readonly [number, number],
): boolean {
  const [foundMajor = NaN, foundMinor = 0] = version.split(".").map(Number);
  return foundMajor < major || foundMajor === major && foundMinor < minor;
}
