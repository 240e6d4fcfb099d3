/**
 * The truth of a run: for every key the states it went through, as the
 * append-only file has them, and whatever the file itself shows to be wrong.
 */

import type { Transaction } from "./aof.ts";
import {
  ABSENT,
  ANY,
  type LeaseTruth,
  type QueueEvent,
  type State,
  type Truth,
  type TruthProblem,
} from "./states.ts";
import { tokenOf } from "./recorder.ts";
import { indexEndProblem, indexProblem } from "./indexes.ts";
import { namesOf } from "./names.ts";
import { type Hash, Replay } from "./replay.ts";

/**
 * Replays transactions.
 *
 * @param prefix What the keys of the backends begin with.
 */
export function readTruth(
  transactions: readonly Transaction[],
  prefix: string,
): Truth {
  const names = namesOf(prefix);
  const replay = new Replay();
  const records = new Map<string, State[]>();
  const queues = new Map<string, QueueEvent[]>();
  const problems: TruthProblem[] = [];
  let at = 0;
  /** The id of the deletion each key was last the subject of, by key. */
  let deleted = new Map<string, string>();
  /** Keys removed by the transaction under way. */
  let removed = new Set<string>();

  const statesOf = (key: string): State[] => {
    let states = records.get(key);
    if (!states) records.set(key, states = [ABSENT]);
    return states;
  };
  const event = (
    name: string,
    kind: QueueEvent["kind"],
    messages: readonly string[],
    length: number,
  ) => {
    const key = names("queue", name);
    if (key === undefined) return;
    let events = queues.get(key);
    if (!events) queues.set(key, events = []);
    events.push({ at, kind, messages: [...messages], length });
  };
  replay.onPush = (name, messages) =>
    event(name, "push", messages, replay.lists.get(name)!.length);
  replay.onTake = (name, messages, whole) =>
    event(
      name,
      whole ? "end" : "take",
      messages,
      whole ? 0 : replay.lists.get(name)!.length,
    );
  replay.onRemove = (name) => {
    const key = names("tasks", name);
    if (key === undefined) return;
    removed.add(key);
    statesOf(key).push({ ...ABSENT, at, isWrite: true });
  };

  for (const transaction of transactions) {
    const touched = new Set<string>();
    const members = new Set<string>();
    const indexed = new Set<string>();
    deleted = new Map();
    removed = new Set();
    for (const command of transaction) {
      const [verb = "", name = "", ...rest] = command;
      replay.apply(command);
      const record = names("tasks", name);
      if (record !== undefined) touched.add(record);
      const gone = names("gone", name);
      if (gone !== undefined && verb.toUpperCase() === "SET") {
        // A refusal is noted there as well, under a letter.
        const [, made, id] = /^\d+\|(\d+)\.([^ ]*)/.exec(rest[0]!) ?? [];
        if (made === "0") deleted.set(gone, id!);
        else if (
          // Beside a live record, it is the trace of one whose end came nearer.
          id !== undefined && !replay.hashes.has(names.record(gone))
        ) {
          addEnded(statesOf(gone), at, Number(made), id, removed.has(gone));
        }
      }
      for (const kind of ["idx", "exp", "act"] as const) {
        const owner = names(kind, name);
        if (owner === undefined) continue;
        for (const word of rest) members.add(`${owner}:${word}`);
        indexed.add(owner);
      }
    }
    for (const [key, id] of deleted) {
      if (!removed.has(key)) continue;
      // The place of the deletion has the name of the deletion.
      const states = records.get(key)!;
      const last = states.length - 1;
      states[last] = { ...states[last]!, id };
    }
    for (const key of touched) {
      const hash = replay.hashes.get(names.record(key));
      if (hash) addState(statesOf(key), hash, at, key, problems);
      members.add(key);
    }
    for (const key of members) {
      if (records.has(key)) {
        const problem = indexProblem(
          replay,
          names,
          key,
          records.get(key)!.at(-1)!,
        );
        if (problem) problems.push({ at, key, problem });
      }
    }
    for (const owner of indexed) {
      const problem = indexEndProblem(replay, names, owner);
      if (problem) problems.push({ at, key: `${owner}:`, problem });
    }
    at++;
  }
  return { transactions: at, records, queues, problems };
}

/**
 * Adds a write whose expiry had passed when it was executed: it made a version
 * and left no record.
 */
function addEnded(
  states: State[],
  at: number,
  version: number,
  id: string,
  isOverRecord: boolean,
): void {
  // Over a record that had expired, the removal before it is that expiry.
  const isOverLive = isOverRecord && states.at(-2)!.version + 1 === version;
  const end = isOverLive ? states.pop()! : { ...ABSENT, at, isWrite: true };
  const write = { ...ABSENT, at, version, id, token: ANY, isWrite: true };
  states.push({ ...write, expiresAt: 0 }, end);
}

function addState(
  states: State[],
  hash: Hash,
  at: number,
  key: string,
  problems: TruthProblem[],
): void {
  const { fields, expiresAt } = hash;
  const before = states.at(-1)!;
  const version = Number(fields.get("version"));
  const data = fields.get("data");
  if (!Number.isInteger(version) || version < 1 || data === undefined) {
    problems.push({
      at,
      key,
      problem: `a hash without version or data: ${[...fields.keys()]}`,
    });
    return;
  }
  const { active, newest } = parseOps(fields.get("ops") ?? "");
  const [newestVersion, id = ""] = newest.split(".");
  const token = tokenOf(data);
  const isWrite = version !== before.version || token !== before.token ||
    (Number(newestVersion) === version && id !== before.id);
  let { steps } = before.version === 0 ? ABSENT : before;
  const stepFields = [...fields].filter(([name]) => name.startsWith("step:"));
  const differs = stepFields.length !== steps.size ||
    stepFields.some(([name, value]) => steps.get(name.slice(5)) !== value);
  if (differs) {
    steps = new Map(
      stepFields.map(([name, value]) => [name.slice(5), value]),
    );
  }
  const lease = parseLease(fields.get("lease"));
  states.push({
    at,
    version,
    id: Number(newestVersion) === version ? id : "",
    token,
    active,
    expiresAt,
    lease: lease && lease.untilMs > 0 ? lease : undefined,
    lastFence: lease?.fence ?? 0,
    steps,
    isWrite,
  });
}

/** `<active>|<created>|<expires>|<gen>|<version>.<id> …`, newest first. */
function parseOps(ops: string): { active: boolean; newest: string } {
  const parts = ops.split("|");
  return {
    active: parts[0] === "1",
    newest: (parts.at(-1) ?? "").trim().split(" ")[0] ?? "",
  };
}

/** `<fence>|<until ms>|<acquisition>|<holder>`; until 0 where it was released. */
function parseLease(text: string | undefined): LeaseTruth | undefined {
  if (!text) return undefined;
  const [fence, until, _acquisition, ...holder] = text.split("|");
  return {
    fence: Number(fence),
    untilMs: Number(until),
    holder: holder.join("|"),
  };
}
