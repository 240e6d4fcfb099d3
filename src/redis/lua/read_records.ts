import { defineScript, type LuaScript } from "../executor/script.ts";
import { INDEX_EXPIRY } from "./fragments/index_expiry.ts";
import { HMGET_FIELDS } from "./get.ts";

/** What one call answers at the most, unless one record alone is larger. */
const MOST_BYTES = 1_000_000;

/**
 * Reads records of one owner by name, as many as fit into a bounded answer.
 *
 * An index entry whose record is gone (evicted, or deleted by hand) is dropped
 * on the way: every script writes both in one step, so it can only be stale.
 *
 * `mode` is that of a write. The names of the tasks follow from their keys,
 * which begin with `key_start` bytes of prefix.
 *
 * Answers the fields of each record in order, as HMGET does; fewer than asked
 * for where the rest did not fit.
 */
export const LUA_READ_RECORDS: LuaScript<
  "created_index" | "expiry_index" | "active_index",
  "key_start" | "mode"
> = defineScript({
  name: "read_records",
  keys: ["created_index", "expiry_index", "active_index"],
  args: ["number:key_start", "mode"],
  tail: "records",
  body: [
    `
local call = redis.call
local answers, stale, bytes = {}, false, 0
for i = records_start, #KEYS do
  local fields = call('HMGET', KEYS[i], ${HMGET_FIELDS})
  answers[i - records_start + 1] = fields
  if fields[2] then
    bytes = bytes + #fields[2]
    if bytes > ${MOST_BYTES} then break end
  elseif not fields[1] and call('EXISTS', KEYS[i]) == 0 then
    stale = stale or {}
    stale[#stale + 1] = string.sub(KEYS[i], key_start + 1)
  end
end
if not stale then return answers end
`,
    INDEX_EXPIRY,
    `
for _, index in ipairs({created_index, expiry_index, active_index}) do
  call('ZREM', index, unpack(stale))
end
refresh_index_expiry()
return answers
`,
  ],
});
