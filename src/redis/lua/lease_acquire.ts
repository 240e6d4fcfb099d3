import { defineScript, type LuaScript } from "../executor/script.ts";
import { CLOCK_IN_TIME } from "./fragments/state.ts";
import { REPLY } from "./reply.ts";

/**
 * Takes the lease on a record. The field `lease` is
 * `<fence>|<until, server ms>|<acquisition>|<holder>`; the fence is the server's
 * time in microseconds, or one more than the last where the clock went back.
 *
 * `op` names the acquisition: a repetition gets the fence it got, even where the
 * lease has ended since. A repetition that no longer finds its name has missed
 * its deadline, which is no later than the end of the lease it would get.
 *
 * Answers `{1, fence}`; `{-8, ms left, holder}` while another has it; else
 * `{code}`.
 */
export const LUA_LEASE_ACQUIRE: LuaScript<
  "record",
  "holder" | "op" | "for_ms" | "deadline_ms"
> = defineScript({
  name: "lease_acquire",
  keys: ["record"],
  args: ["holder", "op", "number:for_ms", "number:deadline_ms"],
  body: [
    CLOCK_IN_TIME,
    `
local state = call('HMGET', record, 'version', 'lease')
if not state[1] then return {${REPLY.absent}} end
local fence, until_ms, acquisition, held_by = string.match(state[2] or '', '^(%d+)|(%d+)|([^|]*)|(.*)$')
if acquisition == op then return {${REPLY.applied}, fence} end
if not fence or tonumber(until_ms) <= now_ms then
  fence = string.format('%.0f', math.max(clock[1] * 1000000 + clock[2], (tonumber(fence) or 0) + 1))
elseif held_by ~= holder then
  return {${REPLY.held}, string.format('%.0f', until_ms - now_ms), held_by}
end
call('HSET', record, 'lease', fence .. '|' .. string.format('%.0f', now_ms + for_ms) .. '|' .. op .. '|' .. holder)
return {${REPLY.applied}, fence}
`,
  ],
});
