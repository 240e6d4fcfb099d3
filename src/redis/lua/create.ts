import { defineScript, type LuaScript } from "../executor/script.ts";
import { fastInsert } from "./fragments/fast_insert.ts";
import { LIVE_VERSION } from "./fragments/live_version.ts";
import { ownWrite } from "./fragments/own_write.ts";
import { CHECK_PERMISSIONS } from "./fragments/permissions.ts";
import { STATE } from "./fragments/state.ts";
import { FULL_WRITE, RECORD_KEYS, WRITE_ARGS } from "./record_script.ts";
import { REPLY } from "./reply.ts";

/**
 * Lua that answers a creation again, with the fence an earlier try was given;
 * where it is no longer known, neither is the answer.
 */
const MADE = `
local function made()
  if holder == '' then return {${REPLY.applied}, '0'} end
  for _, trace in ipairs({ops or '', log or '', was_gone or ''}) do
    local at = string.find(trace, 'f.' .. op .. ' ', 1, true)
    if at then return {${REPLY.applied}, string.match(string.sub(trace, math.max(1, at - 17), at - 1), '(%d+)$')} end
  end
  return {${REPLY.unknown}}
end
`;

/**
 * Writes one record that must not exist, if its owner's quotas have room:
 * check and write are one step, so that racing creates cannot overshoot them.
 *
 * `max_records` and `max_active` are empty for no quota. With `holder` and
 * `for_ms` the record is leased from its first moment.
 *
 * Answers `{1, fence}`, the fence 0 without a lease; `{0, actual version}` if
 * it exists; `{-1, live records}` and `{-9, active records}` at a quota; else
 * `{code}`.
 */
export const LUA_CREATE: LuaScript<
  "record" | "created_index" | "expiry_index" | "active_index" | "gone",
  | "task"
  | "data"
  | "want"
  | "expires_ms"
  | "channel"
  | "op"
  | "deadline_ms"
  | "mode"
  | "max_records"
  | "max_active"
  | "holder"
  | "for_ms"
> = defineScript({
  name: "create",
  keys: RECORD_KEYS,
  args: [
    "number:max_records",
    "number:max_active",
    ...WRITE_ARGS,
    "holder",
    "number:for_ms",
  ],
  body: [
    STATE,
    `
-- The fence is noted in the trace as well, for a repetition.
local fence, new_lease, fence_entry = '0', nil, ''
if holder ~= '' then
  -- Microseconds of the server, and higher than any fence this key has seen.
  fence = string.format('%.0f', math.max(clock[1] * 1000000 + clock[2], (tonumber(string.match(lease or '', '^%d+')) or 0) + 1))
  fence_entry = fence .. 'f.' .. op .. ' '
  new_lease = fence .. '|' .. string.format('%.0f', now_ms + for_ms) .. '|' .. op .. '|' .. holder
end
`,
    fastInsert(
      `(not max_records or call('ZCARD', created_index) < max_records)
    and (not max_active or not active or call('ZCARD', active_index) < max_active)`,
      `if new_lease then call('HSET', record, 'lease', new_lease) end`,
      `{${REPLY.applied}, fence}`,
      "fence_entry",
    ),
    CHECK_PERMISSIONS,
    ownWrite("made()", MADE),
    LIVE_VERSION,
    ...FULL_WRITE,
    `
if is_retry and is_cut then return refuse({${REPLY.unknown}}, 'u') end
if version then return refuse({${REPLY.conflict}, version}) end
if max_records then
  local live = live_count()
  if live >= max_records then return refuse({${REPLY.full}, live}, 'q') end
end
if max_active and string.byte(want) == 49 then
  local active = active_count()
  if active >= max_active then return refuse({${REPLY.activeFull}, active}, 'a') end
end
write_record(new_lease, false, fence_entry)
return {${REPLY.applied}, fence}
`,
  ],
});
