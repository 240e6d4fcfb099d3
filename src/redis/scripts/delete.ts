import { defineScript, type LuaScript } from "../script.ts";
import {
  NOW,
  READ_RECORD,
  RECORD_KEYS,
  REFRESH_INDEX_EXPIRY,
} from "./fragments.ts";

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
  REFRESH_INDEX_EXPIRY,
  `
local code, version = read_record(record)
local was_there = code < 0 or version
if was_there then redis.call('SPUBLISH', channel, '0') end
local left = redis.call('ZREM', created_index, task) + redis.call('ZREM', expiry_index, task)
redis.call('DEL', record)
if left > 0 then refresh_index_expiry() end
return was_there and 1 or 0
`,
);
