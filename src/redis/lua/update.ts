import { defineScript, type LuaScript } from "../executor/script.ts";
import { CHECK_UPDATE } from "./fragments/permissions.ts";
import { CLOCK_IN_TIME, SPAN } from "./fragments/state.ts";
import { REPLY } from "./reply.ts";

/**
 * The shortest compare-and-swap: over the write whose etag is known, where the
 * record stays in its place. It touches the record alone, and the index of
 * active records where the record stops being active: the key of that index is
 * given unless the caller believes that the record has not been active.
 *
 * `old` is what `ops` begins with behind the activity,
 * `|<created>|<expires>|<version>.<etag> `; `new` what it shall begin
 * with, the entry of `old` at its end. `fence`, `lease_rule`, `deadline_ms` and
 * `mode` are those of `put_if_version`.
 *
 * It looks for its own id only where another write is the newest: an etag never
 * recurs, so a repetition finds another newest write.
 *
 * Answers 1; `{0, actual version}` on a conflict; 0 where `put_if_version` has to
 * decide. Nothing is written then.
 */
export const LUA_UPDATE: LuaScript<
  "record",
  | "data"
  | "channel"
  | "old"
  | "new"
  | "version"
  | "deadline_ms"
  | "task"
  | "fence"
  | "lease_rule"
  | "mode"
> = defineScript({
  name: "update",
  keys: ["record"],
  args: [
    "data",
    "channel",
    "old",
    "new",
    "version",
    "number:deadline_ms",
    "task",
    "fence",
    "lease_rule",
    "mode",
  ],
  tail: "active_index",
  body: [
    CLOCK_IN_TIME,
    CHECK_UPDATE,
    `
local ops
if fence ~= '' then
  local state = call('HMGET', record, 'ops', 'lease')
  ops = state[1]
  local held_fence, until_ms = string.match(state[2] or '', '^(%d+)|(%d+)|')
  if held_fence ~= fence or tonumber(until_ms) <= now_ms then return 0 end
  -- An earlier try may have been refused while its lease had ended, by a clock
  -- that went back since.
  if ops and string.find(ops, string.match(new, '(%.[^ |]* )[^ ]+ $'), 1, true) then return 0 end
else
  ops = call('HGET', record, 'ops')
end
if not ops or #ops > 500 then return 0 end
if string.find(ops, old, 2, true) ~= 2 then
  local newest = string.match(ops, '^[^|]*|[^|]*|[^|]*|([^ ]* )')
  -- The expected write, in another place.
  if not newest or newest == string.match(old, '[^|]*$') then return 0 end
  if string.find(ops, string.match(new, '([^|]* )[^ ]+ $'), 1, true) then return ${REPLY.applied} end --[[own id]]
  -- Older ids are in the field log.
  if string.byte(ops, -11) == 43 then return 0 end
  return {${REPLY.conflict}, (string.match(newest, '^%d+'))}
end
local was, is = string.byte(ops), string.byte(new)
-- A record that becomes active, or stops being active where the caller believed
-- it had not been: its place among the active ones changes as well.
if was ~= is and (is == 49 or not KEYS[active_index_start]) then return 0 end
if clock[1] < string.sub(ops, -10) then
  new = new .. string.sub(ops, #old + 2)
elseif string.byte(ops, -11) == 43 then
  return 0
else
  ${SPAN.trim()}
  local kept, entry = string.match(new, '^(.* )([^ ]+ )$')
  local recent = entry .. string.match(ops, '^[^~]*', #old + 2)
  new = kept .. (string.sub(ops, -10) + 32 == tonumber(span) and '~' .. recent or '~') .. span
end
if KEYS[active_index_start] then call('ZREM', KEYS[active_index_start], task) end
call('HSET', record, 'version', version, 'data', data, 'ops', new)
if lease_rule == 'releases' then call('HDEL', record, 'lease') end
-- Last: a version that is refused must not be announced.
call('SPUBLISH', channel, version)
return ${REPLY.applied}
`,
  ],
});
