import { defineScript, type LuaScript } from "../executor/script.ts";
import {
  CARRY_OUT,
  NOW,
  READ_RECORD,
  RECORD_KEYS,
  REFRESH_INDEX_EXPIRY,
} from "./fragments/fragments.ts";

/**
 * Deletes one record with its index entries, a damaged one too.
 *
 * Answers 1 if it was there, 0 if it was absent or had expired.
 */
export const LUA_DELETE: LuaScript = defineScript(
  "delete",
  RECORD_KEYS,
  ["task", "channel", "indexes_expire"],
  NOW,
  READ_RECORD,
  CARRY_OUT,
  REFRESH_INDEX_EXPIRY,
  `
local code, version = read_record(record)
local was_there = code < 0 or version
local commands = {
  {'ZREM', created_index, task},
  {'ZREM', expiry_index, task},
  {'DEL', record},
}
if was_there then table.insert(commands, 1, {'SPUBLISH', channel, '0'}) end
carry_out(commands, true)
refresh_index_expiry()
return was_there and 1 or 0
`,
);
