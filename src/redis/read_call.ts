/** The call that reads one record: a plain command where that is enough. */

import { splitKey } from "../storage/keys.ts";
import { writeScriptInput } from "./executor/script.ts";
import { type ScriptCall, UNDECIDED } from "./executor/script_call.ts";
import { LUA_GET, RECORD_FIELDS } from "./lua/get.ts";
import type { RedisContext } from "./redis_context.ts";
import { readRecord, type RecordFields, type StoredRecord } from "./replies.ts";

/** Reads the live record; a plain command, unless its expiry is in doubt. */
export function readCall(
  { schema, clock }: RedisContext,
  key: string,
): ScriptCall<StoredRecord | undefined> {
  const { owner, task } = splitKey(key);
  const record = schema.record(owner, task);
  return {
    what: () => `get ${JSON.stringify(key)}`,
    key,
    route: record,
    kind: "read",
    write: (words) => void words.push("HMGET", record, ...RECORD_FIELDS),
    decode: (answer) => {
      const found = readRecord(key, answer as RecordFields, clock);
      return found === "doubt" ? UNDECIDED : found;
    },
    otherwise: () => readInDoubt(key, record),
  };
}

/** Reads the record where only the server can say whether it is live. */
function readInDoubt(
  key: string,
  record: string,
): ScriptCall<StoredRecord | undefined> {
  return {
    what: () => `get ${JSON.stringify(key)}`,
    key,
    route: record,
    script: LUA_GET,
    kind: "read",
    write: (words) =>
      writeScriptInput(words, LUA_GET, { keys: { record }, args: {} }),
    decode: (answer) => {
      const fields = answer as RecordFields;
      if (fields.length === 0) return undefined;
      // The server has decided: no clock of ours doubts it again.
      const found = readRecord(key, fields, NEVER_LATER);
      return found === "doubt" ? undefined : found;
    },
  };
}

/** A clock that no expiry has passed. */
const NEVER_LATER = { now: () => -Infinity };
