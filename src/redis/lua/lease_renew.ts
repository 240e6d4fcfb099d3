import { defineScript, type LuaScript } from "../executor/script.ts";
import { CLOCK_IN_TIME, HAS_PASSED } from "./fragments/state.ts";
import { REPLY } from "./reply.ts";

/**
 * Makes a lease last `for_ms` from now. It reads and writes one short field,
 * however large the record is, and makes no event.
 *
 * Answers 1, or `{code}`.
 */
export const LUA_LEASE_RENEW: LuaScript<
  "record",
  "fence" | "for_ms" | "deadline_ms"
> = defineScript({
  name: "lease_renew",
  keys: ["record"],
  args: ["fence", "number:for_ms", "number:deadline_ms"],
  body: [
    CLOCK_IN_TIME,
    HAS_PASSED,
    `
local state = call('HMGET', record, 'lease', 'expires_at')
if has_passed(state[2]) then return {${REPLY.absent}} end
local held_fence, until_ms, rest = string.match(state[1] or '', '^(%d+)|(%d+)|(.*)$')
if held_fence ~= fence or tonumber(until_ms) <= now_ms then
  if not held_fence and call('EXISTS', record) == 0 then return {${REPLY.absent}} end
  return {${REPLY.fenced}}
end
call('HSET', record, 'lease', fence .. '|' .. string.format('%.0f', now_ms + for_ms) .. '|' .. rest)
return ${REPLY.applied}
`,
  ],
});
