import { defineScript, type LuaScript } from "../executor/script.ts";
import { LIVE_VERSION } from "./fragments/live_version.ts";
import { NOTE, NOTED } from "./fragments/refusal.ts";
import { CLOCK_IN_TIME, SPAN } from "./fragments/state.ts";
import {
  JOINED_TRACE,
  KEEP_TRACE,
  OLD_TRACE,
  TRACE_MS,
} from "./fragments/trace.ts";
import { REPLY } from "./reply.ts";

/**
 * Takes the lease on a record. The field `lease` is
 * `<fence>|<until, server ms>|<acquisition>|<holder>`; the fence is the server's
 * time in microseconds, or one more than the last where the clock went back.
 *
 * `op` names the acquisition. It is noted in the trace of the record, so that a
 * repetition, or a first try that arrives late, takes nothing: not after the
 * lease has ended, nor in a new life. `mode` is that of a write.
 *
 * Answers `{1, fence}`, also where that acquisition has ended since; `{-8, ms
 * left, holder}` while another has it; else `{code}`, which is `unknown` where an
 * earlier try was refused and the lease is free by now.
 */
export const LUA_LEASE_ACQUIRE: LuaScript<
  "record" | "gone",
  "holder" | "op" | "for_ms" | "deadline_ms" | "mode"
> = defineScript({
  name: "lease_acquire",
  keys: ["record", "gone"],
  args: ["holder", "op", "number:for_ms", "number:deadline_ms", "mode"],
  body: [
    CLOCK_IN_TIME,
    `
local state = call('HMGET', record, 'version', 'lease', 'ops', 'log', 'expires_at')
local version, ops, log, expires_at = state[1], state[3], state[4], state[5]
local entry = 'l.' .. op .. ' '
local was_gone = not (version and ops) and call('GET', gone)
`,
    LIVE_VERSION,
    `
if not version then
  if mode == 'r' then
    ${SPAN.trim()}
    ${OLD_TRACE}
    ${JOINED_TRACE}
    call('SET', gone, joined_trace('n' .. entry .. (was_gone and '' or '?') .. trace_now, trace_before), 'PX', ${TRACE_MS})
  end
  return {${REPLY.absent}}
end
local fence, until_ms, acquisition, held_by = string.match(state[2] or '', '^(%d+)|(%d+)|([^|]*)|(.*)$')
if acquisition == op then return {${REPLY.applied}, fence} end
local is_held = fence and tonumber(until_ms) > now_ms
local noted_fence
for _, trace in ipairs({ops or '', log or '', was_gone or ''}) do
  local at = string.find(trace, entry, 1, true) --[[own id]]
  if at then noted_fence = string.match(string.sub(trace, math.max(1, at - 17), at - 1), '(n?%d*)$') end
end
if noted_fence == 'n' then return {${REPLY.absent}} end
if noted_fence and noted_fence ~= '' then return {${REPLY.applied}, noted_fence} end
if noted_fence and not is_held then return {${REPLY.unknown}} end
`,
    NOTED,
    `
-- Notes the entry; behind it, what else is written.
local function noting(entry, ...)
  local with_entry = noted(entry)
  local ends = tonumber(expires_at or '')
  if with_entry and not (ends and ends * 1000 < now_ms + ${TRACE_MS}) then
    call('HSET', record, 'ops', with_entry, ...)
    return
  end
  ${SPAN.trim()}
  ${OLD_TRACE}
  ${JOINED_TRACE}
  ${KEEP_TRACE}
  ${NOTE}
  -- Another program keeps no trace with the record it writes.
  if not (ops and note(entry)) then
    call('SET', gone, joined_trace(entry .. '?', ''), 'PX', ${TRACE_MS})
  end
  if ... then call('HSET', record, ...) end
end
if is_held and (noted_fence or held_by ~= holder) then
  if mode == 'r' then noting(entry) end
  return {${REPLY.held}, string.format('%.0f', until_ms - now_ms), held_by}
end
if not is_held then
  fence = string.format('%.0f', math.max(clock[1] * 1000000 + clock[2], (tonumber(fence) or 0) + 1))
end
local lease = fence .. '|' .. string.format('%.0f', now_ms + for_ms) .. '|' .. op .. '|' .. holder
noting(fence .. entry, 'lease', lease)
return {${REPLY.applied}, fence}
`,
  ],
});
