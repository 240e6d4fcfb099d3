/** Questions and answers of a task, as pure changes of its record. */

import type { TaskUpdate } from "../../task/options.ts";
import type { TaskRecord } from "../../task/record.ts";
import { isFinalStatus } from "../../task/status.ts";
import type { ExtInputRequests, ExtInputResponses } from "./types.ts";

/** The variable that holds every key a task has ever asked under. */
const ASKED = "askedKeys";

/** A question about to be asked. */
export interface Question {
  /** The key on the wire, by the caller's own. */
  readonly keys: ReadonlyMap<string, string>;
  /** The change that asks it. */
  readonly update: TaskUpdate;
}

/**
 * Words a question for a task, with keys that are new to it. They are kept
 * with the task: a worker on another instance must not use one again, which
 * a client has answered and would never answer twice.
 */
export function ask(
  { task, inputRequests, variables }: TaskRecord,
  requests: ExtInputRequests,
): Question {
  const asked = new Set(askedKeys(variables));
  const keys = new Map<string, string>();
  for (const name of Object.keys(requests)) {
    let key = name;
    for (let n = 2; asked.has(key); n++) key = `${name}-${n}`;
    asked.add(key);
    keys.set(name, key);
  }
  const added = [...keys].map(([name, key]) => [key, requests[name]]);
  return {
    keys,
    update: {
      ...(task.status === "working" ? { status: "input_required" } : {}),
      inputRequests: { ...inputRequests, ...Object.fromEntries(added) },
      variables: { [ASKED]: [...asked] },
    },
  };
}

/**
 * Takes the answers that are asked for and ignores all others: to keys never
 * asked, answered before, or of a task that has ended. The task works on once
 * nothing is open. `undefined`: nothing changes.
 */
export function answer(
  { task, inputRequests = {}, inputResponses }: TaskRecord,
  responses: ExtInputResponses,
): TaskUpdate | undefined {
  if (isFinalStatus(task.status)) return undefined;
  const isAnswered = ([key]: [string, unknown]) =>
    Object.hasOwn(responses, key);
  const open = Object.entries(inputRequests);
  const left = open.filter((question) => !isAnswered(question));
  if (left.length === open.length) return undefined;
  const answered = open.filter(isAnswered)
    .map(([key]) => [key, responses[key]]);
  return {
    ...(left.length === 0 ? { status: "working" } : {}),
    inputRequests: left.length === 0 ? null : Object.fromEntries(left),
    inputResponses: { ...inputResponses, ...Object.fromEntries(answered) },
  };
}

/** The answers to a question by the caller's keys, once all are there. */
export function answersTo(
  { inputResponses = {} }: TaskRecord,
  keys: ReadonlyMap<string, string>,
): ExtInputResponses | undefined {
  const all = [...keys];
  return all.every(([, key]) => Object.hasOwn(inputResponses, key))
    ? Object.fromEntries(all.map(([name, key]) => [name, inputResponses[key]]))
    : undefined;
}

/**
 * Returns the answers in a record without those that have been taken.
 * `undefined`: it has none of these.
 *
 * @param taken The keys whose answers have been taken.
 */
export function answersNeeded(
  { inputResponses = {} }: TaskRecord,
  taken: ReadonlySet<string>,
): ExtInputResponses | null | undefined {
  const all = Object.entries(inputResponses);
  const needed = all.filter(([key]) => !taken.has(key));
  if (needed.length === all.length) return undefined;
  return needed.length === 0 ? null : Object.fromEntries(needed);
}

function askedKeys(variables: TaskRecord["variables"]): readonly string[] {
  const keys = variables[ASKED];
  return Array.isArray(keys) ? keys : [];
}
