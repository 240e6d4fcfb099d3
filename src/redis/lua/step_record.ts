import { defineScript, type LuaScript } from "../executor/script.ts";
import { CLOCK_IN_TIME } from "./fragments/state.ts";
import { REPLY } from "./reply.ts";

/**
 * Records a step of a run, once, under the current lease. The field `step`,
 * `step:<name>`, is `<fence>|<data>`.
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
    `
local state = call('HMGET', record, 'version', 'lease', step)
local by, recorded = string.match(state[3] or '', '^(%d+)|(.*)$')
-- A retry finds what an earlier try has recorded, even where the lease has ended
-- since.
if by == fence and mode == 'r' then return {${REPLY.applied}, recorded, '1'} end
local held_fence, until_ms = string.match(state[2] or '', '^(%d+)|(%d+)|')
if not state[1] then return {${REPLY.absent}} end
if held_fence ~= fence or tonumber(until_ms) <= now_ms then return {${REPLY.fenced}} end
if by then return {${REPLY.applied}, recorded, by == fence and '1' or '0'} end
call('HSET', record, step, fence .. '|' .. data)
return {${REPLY.applied}}
`,
  ],
});
