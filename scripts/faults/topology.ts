/** What the runs on a node, behind a Sentinel and on a Cluster have in common. */

import type { StorageBackend } from "../../src/storage/backend.ts";
import type { Transaction } from "./aof.ts";
import type { Network } from "./network.ts";
import type { ServerFault } from "./server_faults.ts";

/** A history that a failover has ended. */
export interface LostHistory {
  readonly transactions: readonly Transaction[];
  /** How many of them are in the surviving history, too. */
  readonly common: number;
  /** Whether replicas may have confirmed what it lost. Default: `false`. */
  readonly losesConfirmed?: boolean;
}

/** One history of keys, and those that failovers have ended. */
export interface History {
  /** Whether it is that of the owner of a key; left out: of all. */
  readonly covers?: (key: string) => boolean;
  readonly transactions: readonly Transaction[];
  readonly lost: readonly LostHistory[];
  /** Whether all keys are in one order; otherwise those of each key are. */
  readonly isOneClock: boolean;
  /** When two masters may have answered. Default: never. */
  readonly failovers?: readonly TimeSpan[];
}

/** A span of time, in epoch milliseconds. */
export interface TimeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The history of a master that has been replaced, where it has something that
 * its successors do not have.
 *
 * @param merged The surviving history.
 * @param survived What the file of its successor has; in `merged`, too.
 * @param old What its own file has.
 */
export function branchOf(
  merged: readonly Transaction[],
  survived: readonly Transaction[],
  old: readonly Transaction[],
): LostHistory | undefined {
  let same = 0;
  const isSame = (i: number) =>
    i < survived.length && i < old.length &&
    JSON.stringify(survived[i]) === JSON.stringify(old[i]);
  while (isSame(same)) same++;
  if (same === old.length) return undefined;
  const common = same === 0 ? 0 : merged.indexOf(survived[same - 1]!) + 1;
  return {
    transactions: [...merged.slice(0, common), ...old.slice(same)],
    common,
  };
}

/** Servers, how to reach them, and how to break them. */
export interface Topology extends AsyncDisposable {
  readonly faults: readonly ServerFault[];
  /** How long from one fault of a server to the next, in milliseconds. */
  readonly faultEveryMs: number;
  /** Opens a backend that goes through the network of its instance. */
  open(network: Network, durable: boolean): Promise<StorageBackend>;
  /** Whether no more failover is possible. */
  readonly isUsedUp: boolean;
  /** Whether an instance in two waits for replicas: only then nothing is lost. */
  readonly hasFailovers: boolean;
  /**
   * Reads what has happened; the servers must be at rest.
   *
   * @throws {UnplannedFailover} If it cannot be known.
   */
  histories(): Promise<History[]>;
}

/** Starts servers for keys under a prefix, of these owners. */
export type StartTopology = (
  prefix: string,
  owners: readonly string[],
) => Promise<Topology>;

/** What a server needs so that its file holds the whole history. */
export function persistentIn(dir: string): string[] {
  return [
    ...["--dir", dir],
    ...["--appendonly", "yes"],
    ...["--appendfsync", "always"],
    ...["--aof-use-rdb-preamble", "no"],
    ...["--auto-aof-rewrite-percentage", "0"],
    ...["--repl-diskless-sync-delay", "0"],
    ...["--repl-backlog-size", "64mb"],
  ];
}
