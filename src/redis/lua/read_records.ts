import { defineScript, type LuaScript } from "../executor/script.ts";
import {
  NOW,
  READ_RECORD,
  REFRESH_INDEX_EXPIRY,
} from "./fragments/fragments.ts";

/**
 * Reads records of one owner by name, in one call however many.
 *
 * An index entry whose record is gone (evicted, or deleted by hand) is dropped
 * on the way: every script writes both in one step, so it can only be stale.
 *
 * Answers, for each record in order, `{version, data}`, `{}` if there is no
 * live record, or `{code}` below 0 if it is damaged.
 */
export const LUA_READ_RECORDS: LuaScript = defineScript(
  "read_records",
  ["created_index", "expiry_index", "..."],
  ["indexes_expire", "..."],
  NOW,
  READ_RECORD,
  REFRESH_INDEX_EXPIRY,
  `
local answers, stale = {}, {}
for i = 3, #KEYS do
  local code, version, data = read_record(KEYS[i])
  if version then
    answers[#answers + 1] = {version, data}
  elseif code < 0 then
    answers[#answers + 1] = {code}
  else
    answers[#answers + 1] = {}
    if redis.call('EXISTS', KEYS[i]) == 0 then stale[#stale + 1] = ARGV[i - 1] end
  end
end
if #stale > 0 then
  redis.call('ZREM', created_index, unpack(stale))
  redis.call('ZREM', expiry_index, unpack(stale))
  refresh_index_expiry()
end
return answers
`,
);
