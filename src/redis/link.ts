/** Wraps a client that the caller has connected. */

import { ClientLink, PoolLink } from "./client_link.ts";
import { recognizeClient, type SentinelClient } from "./client_like.ts";
import { ClusterLink } from "./cluster_link.ts";
import type { WarningListener } from "../storage/warnings.ts";
import type { RedisLink } from "./link_types.ts";
import { BorrowedSentinelLink } from "./sentinel_link.ts";

export type { LinkKind, RedisLink } from "./link_types.ts";

/**
 * Wraps a connected client, pool, cluster or sentinel of node-redis. It stays
 * the caller's: closing the link leaves it open and without a listener of ours.
 *
 * @throws {TypeError} If it is anything else, or not connected.
 */
export function borrowLink(
  client: unknown,
  onWarning: WarningListener,
): RedisLink {
  const known = recognizeClient(client);
  if (keyPrefixOf(client) !== undefined) {
    onWarning(
      "the borrowed client has a keyPrefix, which is not put before the keys of this library: give the backend a prefix instead",
    );
  }
  switch (known.kind) {
    case "client":
      return new ClientLink(known.client, false);
    case "pool":
      return new PoolLink(known.client);
    // It repeats only what a node has redirected, and so not executed.
    case "cluster":
      return new ClusterLink(known.client, false);
    case "sentinel": {
      const resends = optionsOf(known.client)?.maxCommandRediscovers ?? 16;
      if (resends > 0) onWarning(resendWarning(resends));
      return new BorrowedSentinelLink(known.client);
    }
  }
}

function resendWarning(times: number): string {
  return `the borrowed sentinel client has maxCommandRediscovers ${times}: while no master is found, commands wait for as many seconds instead of failing at once, and its own commands are sent again when an answer is lost (those of this library are not); create it with maxCommandRediscovers: 0, and scanInterval: 1000 to look for the master again`;
}

/**
 * The options a sentinel was made with. It keeps them to itself, and hands
 * them only to the constructor of its duplicate: one that takes note.
 */
function optionsOf(
  sentinel: SentinelClient,
): { maxCommandRediscovers?: number } | undefined {
  let noted: { maxCommandRediscovers?: number } | undefined;
  class Note {
    constructor(options: { maxCommandRediscovers?: number }) {
      noted = options;
    }
  }
  const view = Object.create(Object.create(sentinel, {
    constructor: { value: Note },
  }));
  try {
    sentinel.duplicate.call(view);
  } catch {
    // Another version of node-redis: nothing is known.
  }
  return noted;
}

function keyPrefixOf(client: unknown): unknown {
  const { _keyPrefix } = client as { _keyPrefix?: unknown };
  return _keyPrefix;
}
