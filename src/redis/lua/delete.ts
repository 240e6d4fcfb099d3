import { defineScript, type LuaScript } from "../executor/script.ts";
import { INDEX_EXPIRY } from "./fragments/index_expiry.ts";
import { ownWrite } from "./fragments/own_write.ts";
import { CHECK_PERMISSIONS } from "./fragments/permissions.ts";
import { NOTE, NOTED, REFUSE } from "./fragments/refusal.ts";
import { HAS_PASSED, SPAN, STATE } from "./fragments/state.ts";
import {
  JOINED_TRACE,
  KEEP_TRACE,
  OLD_TRACE,
  TRACE_MS,
} from "./fragments/trace.ts";
import { RECORD_KEYS } from "./record_script.ts";
import { REPLY } from "./reply.ts";

/**
 * Deletes one record with its index entries, a damaged one too, and leaves the
 * trace of its writes in `gone`.
 *
 * `expected` is empty, or as `put_if_version` has it; the other arguments are
 * those of every write of a record.
 *
 * Answers 1 if it was there, 0 if it was absent or had expired;
 * `{0, actual version}` if it is not the expected one; else `{code}`.
 */
export const LUA_DELETE: LuaScript<
  "record" | "created_index" | "expiry_index" | "active_index" | "gone",
  "task" | "channel" | "op" | "deadline_ms" | "mode" | "expected"
> = defineScript({
  name: "delete",
  keys: RECORD_KEYS,
  args: ["task", "channel", "op", "expected", "number:deadline_ms", "mode"],
  body: [
    STATE,
    `
-- The common case: the library wrote the record last, and it has an expiry.
if version and ops and mode == '' and (not deadline_ms or now_ms <= deadline_ms) then
  local active, expires, trace, written_in = string.match(ops, '^(.)|[^|]*|(%d+)|(.*)(%d%d%d%d%d%d%d%d%d%d)$')
  local newest = version .. '.'
  if trace and string.sub(trace, 1, #newest) == newest and tonumber(expires) > now_ms
    and string.byte(trace, -1) ~= 43 and not string.find(trace, op .. ' ', 1, true) --[[own id]]
    and (expected == '' or string.sub(trace, 1, #expected) == expected) then
    ${SPAN.trim()}
    if clock[1] >= written_in then
      trace = written_in + 32 == tonumber(span) and '~' .. string.match(trace, '^[^~]*') or '~'
    end
    call('ZREM', created_index, task)
    call('ZREM', expiry_index, task)
    if active == '1' then call('ZREM', active_index, task) end
    call('UNLINK', record)
    call('SET', gone, span .. '|0.' .. op .. ' ' .. trace, 'PX', ${TRACE_MS})
    call('SPUBLISH', channel, '0')
    return 1
  end
end
`,
    CHECK_PERMISSIONS,
    ownWrite("1"),
    HAS_PASSED,
    SPAN,
    OLD_TRACE,
    JOINED_TRACE,
    KEEP_TRACE,
    NOTED,
    NOTE,
    REFUSE,
    INDEX_EXPIRY,
    `
local is_over = has_passed(expires_at)
if is_over then version = nil end
local was_there = not is_over and call('EXISTS', record) == 1
if expected ~= '' and was_there then
  if not string.find(version or '', '^[1-9]%d*$') then return {${REPLY.badVersion}} end
  local expected_version, expected_etag = string.match(expected, '^(%d+)%.([^ ]*)')
  local is_expected = version == expected_version
    and (expected_etag == '' or expected_etag == old_etag)
  if is_retry and is_cut and not (is_expected and expected_etag ~= '') then return refuse({${REPLY.unknown}}, 'u') end
  if not is_expected then return refuse({${REPLY.conflict}, version or '0'}) end
elseif is_retry and is_cut then
  return refuse({${REPLY.unknown}}, 'u')
end
if not was_there and is_retry then refuse(nil, 'n') end
for _, index in ipairs({created_index, expiry_index, active_index}) do
  call('ZREM', index, task)
end
call('UNLINK', record)
if was_there then
  call('SET', gone, joined_trace('0.' .. op .. ' ' .. trace_now, trace_before), 'PX', ${TRACE_MS})
end
refresh_index_expiry()
if was_there then call('SPUBLISH', channel, '0') end
return was_there and 1 or 0
`,
  ],
});
