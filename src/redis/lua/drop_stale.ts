import { defineScript, type LuaScript } from "../executor/script.ts";
import { INDEX_EXPIRY } from "./fragments/index_expiry.ts";
import { requirePermissions } from "./fragments/permissions.ts";

/** The most active tasks that one call compares with the index by creation. */
const MOST_ACTIVE = 1000;

/**
 * Drops index entries whose record is gone, and with them a record whose
 * `expires_at` has passed although the server still holds it. `mode` is that
 * of a write; under the key schema `pmcp` others delete records without a look
 * at the index of active ones, which is compared.
 *
 * The names of the tasks follow from their keys, which begin with `key_start`
 * bytes of prefix.
 *
 * Answers how many of `records` were dropped.
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
    "local call = redis.call",
    requirePermissions([
      "{'UNLINK', created_index}",
      "{'ZREM', created_index, '0'}",
      "{'ZCARD', created_index}",
      "{'ZRANGE', created_index, '0', '0'}",
      "{'PEXPIREAT', created_index, '0'}",
      "{'PERSIST', created_index}",
    ]),
    `
local now = call('TIME')[1]
local dropped = 0
local function is_gone(record)
  if call('EXISTS', record) == 0 then return true end
  -- A key of another type is no record: an error, and it stays as it is.
  local expires_at = redis.pcall('HGET', record, 'expires_at')
  return type(expires_at) == 'string' and string.find(expires_at, '^%d+$')
    and tonumber(expires_at) <= tonumber(now)
end
for i = records_start, #KEYS do
  if is_gone(KEYS[i]) then
    local task = string.sub(KEYS[i], key_start + 1)
    for _, index in ipairs({created_index, expiry_index, active_index}) do
      call('ZREM', index, task)
    end
    call('UNLINK', KEYS[i])
    dropped = dropped + 1
  end
end
if string.find(mode, 'k', 1, true) then
  local active = call('ZRANGE', active_index, 0, ${MOST_ACTIVE} - 1)
  local places = #active > 0 and call('ZMSCORE', created_index, unpack(active)) or {}
  for i, task in ipairs(active) do
    if not places[i] then call('ZREM', active_index, task) end
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
