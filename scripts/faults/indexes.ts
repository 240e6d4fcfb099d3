/** Checks the indexes of an owner against the hashes of its records. */

import type { Names } from "./names.ts";
import type { Replay } from "./replay.ts";
import type { State } from "./states.ts";

/** Says what the indexes of an owner have wrong about one of its records. */
export function indexProblem(
  replay: Replay,
  names: Names,
  key: string,
  state: State,
): string | undefined {
  const [owner, task] = names.split(key);
  const hash = replay.hashes.get(names.record(key));
  const score = (kind: "idx" | "exp" | "act") =>
    replay.sets.get(names.index(kind, owner))?.get(task);
  const [idx, exp, act] = [score("idx"), score("exp"), score("act")];
  if (!hash) {
    // What has expired is dropped from the indexes by a later script.
    if (exp !== undefined && Number(exp) <= Date.now()) return undefined;
    return idx === undefined && exp === undefined && act === undefined
      ? undefined
      : `no hash, but index entries idx ${idx}, exp ${exp}, act ${act}`;
  }
  const { expiresAt, active } = state;
  // The same script may do so before the server has removed the hash.
  const isDropped = idx === undefined && exp === undefined && act === undefined;
  if (isDropped && expiresAt !== undefined && expiresAt <= Date.now()) {
    return undefined;
  }
  if (idx === undefined) return "a hash without its index entry by creation";
  if ((exp === undefined ? undefined : Number(exp)) !== expiresAt) {
    return `the hash ends at ${expiresAt}, its index entry says ${exp}`;
  }
  if ((act !== undefined) !== active) {
    return `active is ${active}, its index entry is ${act}`;
  }
  return undefined;
}

/**
 * Says which index of an owner ends before one of its records, or never though
 * all of them end.
 */
export function indexEndProblem(
  replay: Replay,
  names: Names,
  owner: string,
): string | undefined {
  for (const kind of ["exp", "act"] as const) {
    const name = names.index(kind, owner);
    const set = replay.sets.get(name);
    if (set === undefined) continue;
    const last = Math.max(...[...set.values()].map(scoreOf));
    const end = replay.setEnds.get(name) ?? Infinity;
    if (last <= end && (last === Infinity) === (end === Infinity)) continue;
    return `the index ${kind} ends at ${end}, its last record at ${last}`;
  }
  const all = replay.sets.get(names.index("idx", owner))?.size ?? 0;
  const ending = replay.sets.get(names.index("exp", owner))?.size ?? 0;
  const end = replay.setEnds.get(names.index("idx", owner));
  const wanted = replay.setEnds.get(names.index("exp", owner));
  if (all === 0 || (all === ending ? end === wanted : end === undefined)) {
    return undefined;
  }
  return `the index idx ends at ${end}, ${ending} of its ${all} records at ${wanted}`;
}

function scoreOf(score: string): number {
  return Number(score.replace("+", "").replace(/^inf$/, "Infinity"));
}
