import { defineScript, type LuaScript } from "../executor/script.ts";
import { CLOCK_IN_TIME, HAS_PASSED } from "./fragments/state.ts";
import { REPLY } from "./reply.ts";

/**
 * Gives a lease back. Its fence stays, without a holder, so that a repetition
 * is recognized and a later fence is higher.
 *
 * Answers 1; 0 if another lease exists; else `{code}`.
 */
export const LUA_LEASE_RELEASE: LuaScript<"record", "fence" | "deadline_ms"> =
  defineScript({
    name: "lease_release",
    keys: ["record"],
    args: ["fence", "number:deadline_ms"],
    body: [
      CLOCK_IN_TIME,
      HAS_PASSED,
      `
local state = call('HMGET', record, 'lease', 'expires_at')
if has_passed(state[2]) then return {${REPLY.absent}} end
local held_fence, acquisition, holder = string.match(state[1] or '', '^(%d+)|%d+|([^|]*)|(.*)$')
if held_fence ~= fence then
  if not held_fence and call('EXISTS', record) == 0 then return {${REPLY.absent}} end
  return (not held_fence or holder == '') and 1 or 0
end
call('HSET', record, 'lease', fence .. '|0|' .. acquisition .. '|')
return ${REPLY.applied}
`,
    ],
  });
