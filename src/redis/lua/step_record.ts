import { defineScript, type LuaScript } from "../executor/script.ts";
import { CLOCK_IN_TIME, HAS_PASSED } from "./fragments/state.ts";
import { REPLY } from "./reply.ts";

/**
 * Records a step of a run, once, under the current lease. The field `step`,
 * `step:<name>`, is `<fence>|<data>`; the field `steps` is how many there are,
 * and `step#<n>` the name of the n-th: so they can be read in parts.
 *
 * Answers `{1}` if it is recorded now; `{1, data, own}` if it was before, `own`
 * "1" where that was under the same fence, else "0"; else `{code}`.
 */
export const LUA_STEP_RECORD: LuaScript<
  "record",
  "step" | "data" | "fence" | "deadline_ms" | "mode"
> = defineScript({
  name: "step_record",
  keys: ["record"],
  args: ["step", "data", "fence", "number:deadline_ms", "mode"],
  body: [
    CLOCK_IN_TIME,
    HAS_PASSED,
    `
local state = call('HMGET', record, 'version', 'lease', step, 'steps', 'expires_at')
local by, recorded = string.match(state[3] or '', '^(%d+)|(.*)$')
-- A retry finds what an earlier try has recorded, even where the lease has ended
-- since.
if by == fence and mode == 'r' then return {${REPLY.applied}, recorded, '1'} end
local held_fence, until_ms = string.match(state[2] or '', '^(%d+)|(%d+)|')
if not state[1] or has_passed(state[5]) then return {${REPLY.absent}} end
if held_fence ~= fence or tonumber(until_ms) <= now_ms then return {${REPLY.fenced}} end
if by then return {${REPLY.applied}, recorded, by == fence and '1' or '0'} end
local count = string.format('%.0f', (state[4] or 0) + 1)
call('HSET', record, step, fence .. '|' .. data, 'steps', count, 'step#' .. count, string.sub(step, 6))
return {${REPLY.applied}}
`,
  ],
});
