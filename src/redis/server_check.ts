/** Checks a server once, when a connection to it is opened. */

import { BackendError } from "../storage/errors.ts";
import type { NodeClient } from "./client_like.ts";
import type { WarningListener } from "../storage/warnings.ts";
import { isErrorReply } from "./send_errors.ts";

/** The expectations of a server, and the listener for what is doubtful. */
export interface ServerCheckOptions {
  /** Whether the client knows the other nodes of a Cluster. */
  readonly isCluster: boolean;
  /** Whether writes wait for replicas. */
  readonly isDurable: boolean;
  readonly onWarning: WarningListener;
}

/**
 * Checks a server's version, mode and eviction policy, and that it takes
 * `WAIT` where that is needed, in one round trip. A user that may not ask for
 * the first three is not refused.
 *
 * @throws {BackendError} If the server is too old, a Sentinel, a node of a
 * Cluster whose other nodes the client does not know, or refuses `WAIT`.
 */
export async function checkServer(
  client: NodeClient,
  address: string,
  { isCluster, isDurable, onWarning }: ServerCheckOptions,
): Promise<void> {
  const [server, memory] = await Promise.all([
    ask(client, "server"),
    ask(client, "memory"),
    isDurable ? requireWait(client, address) : undefined,
  ]);
  const mode = server.get("redis_mode") ?? server.get("server_mode");
  if (mode === "sentinel") {
    throw new BackendError(
      `the server at ${address} is a Sentinel: expected { sentinelRootNodes, name } to find its master`,
    );
  }
  if (mode === "cluster" && !isCluster) {
    throw new BackendError(
      `the server at ${address} is a node of a Cluster: expected { rootNodes } to find the others`,
    );
  }
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

async function requireWait(
  client: NodeClient,
  address: string,
): Promise<void> {
  try {
    await client.sendCommand(["WAIT", "0", "0"]);
  } catch (cause) {
    if (!isErrorReply(cause)) throw cause;
    throw new BackendError(
      `the server at ${address} refuses WAIT, which durability needs: ${
        (cause as Error).message
      }`,
      { cause },
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
