import { INDEX_EXPIRY } from "./fragments/index_expiry.ts";
import { defineScript, type LuaScript } from "../executor/script.ts";

/**
 * Drops index entries whose record is gone. `mode` is that of a write.
 *
 * The names of the tasks follow from their keys, which begin with `key_start`
 * bytes of prefix.
 *
 * Answers how many were dropped.
 */
export const LUA_DROP_STALE: LuaScript<
  "created_index" | "expiry_index" | "active_index",
  "key_start" | "mode"
> = defineScript({
  name: "drop_stale",
  keys: ["created_index", "expiry_index", "active_index"],
  args: ["number:key_start", "mode"],
  tail: "records",
  body: [
    `
local call = redis.call
local dropped = 0
for i = records_start, #KEYS do
  if call('EXISTS', KEYS[i]) == 0 then
    local task = string.sub(KEYS[i], key_start + 1)
    for _, index in ipairs({created_index, expiry_index, active_index}) do
      call('ZREM', index, task)
    end
    dropped = dropped + 1
  end
end
`,
    INDEX_EXPIRY,
    `
if dropped > 0 then refresh_index_expiry() end
return dropped
`,
  ],
});
