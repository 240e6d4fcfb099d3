/**
 * Slots that move between the shards of a Cluster, and how the histories of
 * the shards become one history of each owner again.
 */

import type { Transaction } from "./aof.ts";
import { command } from "./server_faults.ts";
import { branchOf, type History } from "./topology.ts";

/** A slot that was moved. */
export interface SlotMove {
  readonly slot: number;
  readonly toShard: number;
}

/** What a shard's servers have written. */
export interface ShardLog {
  readonly transactions: readonly Transaction[];
  /** Of masters that were killed. */
  readonly lost: readonly (readonly Transaction[])[];
}

/** An owner's slot and the shard it began in. */
export interface OwnerSlot {
  readonly slot: number;
  readonly shard: number;
}

/** Marks, in the file of the shard that gets a slot, where its time begins. */
const MARK = "faults:mark";

/** Moves a slot while it is in use. */
export async function moveSlot(
  { slot, owners, from, to, fromId, toId, masters }: {
    readonly slot: number;
    readonly owners: readonly string[];
    readonly from: number;
    readonly to: number;
    readonly fromId: string;
    readonly toId: string;
    readonly masters: readonly number[];
  },
): Promise<void> {
  const s = `${slot}`;
  await command(
    to,
    ["CLUSTER", "SETSLOT", s, "IMPORTING", fromId],
    ...owners.flatMap((owner) => [
      ["ASKING"],
      ["SET", `${MARK}:{${owner}}`, "1"],
    ]),
  );
  await command(from, ["CLUSTER", "SETSLOT", s, "MIGRATING", toId]);
  while (true) {
    const [keys] = await command(from, [
      ...["CLUSTER", "GETKEYSINSLOT", s, "20"],
    ]);
    const names = keys as string[];
    if (names.length === 0) break;
    await command(from, [
      ...["MIGRATE", "127.0.0.1", `${to}`, "", "0", "5000", "REPLACE", "KEYS"],
      ...names,
    ]);
  }
  // First who gets it, then who had it: the other way round it has no owner.
  const rest = masters.filter((port) => port !== to && port !== from);
  for (const port of [to, from, ...rest]) {
    await command(port, ["CLUSTER", "SETSLOT", s, "NODE", toId]);
  }
}

/** One history for each owner, whatever shards it has been in. */
export function historiesOfOwners(
  logs: readonly ShardLog[],
  owners: ReadonlyMap<string, OwnerSlot>,
  moves: readonly SlotMove[],
): History[] {
  const byOwner = logs.map(({ transactions }) => splitByOwner(transactions));
  const lostByOwner = logs.map(({ lost }) => lost.map(splitByOwner));
  return [...owners].map(([owner, { slot, shard }]) => {
    const route = [
      shard,
      ...moves.filter((move) => move.slot === slot)
        .map(({ toShard }) => toShard),
    ];
    const periods = logs.map((_, i) =>
      periodsOf(byOwner[i]!.get(owner) ?? [], i === shard)
    );
    const merged = merge(route.map((i) => periods[i]!.shift() ?? []));
    const lost = logs.flatMap((_, i) =>
      lostByOwner[i]!.flatMap((old) => {
        const branch = branchOf(
          merged,
          byOwner[i]!.get(owner) ?? [],
          old.get(owner) ?? [],
        );
        return branch ? [branch] : [];
      })
    );
    return {
      covers: (key: string) => key.startsWith(`${owner}:`),
      transactions: merged,
      lost,
      isOneClock: false,
    };
  });
}

function splitByOwner(
  transactions: readonly Transaction[],
): Map<string, Transaction[]> {
  const owners = new Map<string, Transaction[]>();
  for (const transaction of transactions) {
    const owner = /\{([^}]*)\}/.exec(transaction[0]?.[1] ?? "")?.[1];
    if (owner === undefined) continue;
    const found = owners.get(owner);
    if (found) found.push(transaction);
    else owners.set(owner, [transaction]);
  }
  return owners;
}

/** The times in which an owner's slot was in this shard. */
function periodsOf(
  transactions: readonly Transaction[],
  isFirst: boolean,
): Transaction[][] {
  const periods: Transaction[][] = isFirst ? [[]] : [];
  for (const transaction of transactions) {
    const [verb, key = ""] = transaction[0]!;
    if (key.startsWith(MARK)) {
      // It moves along with the slot; only the one that is set is a beginning.
      if (verb!.toUpperCase() === "SET") periods.push([]);
    } else periods.at(-1)?.push(transaction);
  }
  return periods;
}

/**
 * Joins the periods: what was moved is not removed here and restored there,
 * but goes on.
 */
function merge(periods: readonly Transaction[][]): Transaction[] {
  const merged: Transaction[] = [];
  for (const [i, period] of periods.entries()) {
    const next = periods[i + 1] ?? [];
    const moved = new Set(
      next.filter(isRestore).map(([command]) => command![1]!),
    );
    const kept: Transaction[] = [];
    // From its end: the last removal of a key is its move.
    for (const transaction of period.toReversed()) {
      if (isRestore(transaction)) continue;
      const [verb = "", ...keys] = transaction[0]!;
      const isRemoval = transaction.length === 1 &&
        /^(DEL|UNLINK)$/i.test(verb);
      const left = isRemoval ? keys.filter((key) => !moved.delete(key)) : keys;
      if (left.length === keys.length) kept.push(transaction);
      else if (left.length > 0) kept.push([[verb, ...left]]);
    }
    for (const transaction of kept.toReversed()) merged.push(transaction);
  }
  return merged;
}

function isRestore([command]: Transaction): boolean {
  return /^RESTORE/i.test(command?.[0] ?? "");
}
