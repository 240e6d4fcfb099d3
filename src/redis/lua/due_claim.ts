import { defineScript, type LuaScript } from "../executor/script.ts";

/**
 * Takes hints that are due and puts each off by `for_ms`, in one step, so that
 * each goes to one caller.
 *
 * Answers `{ms until the next hint is due, member, at_ms, …}`: -1 if there is
 * none, 0 if more are due now.
 */
export const LUA_DUE_CLAIM: LuaScript<"due", "limit" | "for_ms"> = defineScript(
  {
    name: "due_claim",
    keys: ["due"],
    args: ["limit", "number:for_ms"],
    body: [`
local call = redis.call
local clock = call('TIME')
local now_ms = clock[1] * 1000 + clock[2] / 1000
local now = string.format('%.0f', math.floor(now_ms))
local taken = call('ZRANGE', due, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
local later = string.format('%.0f', now_ms + for_ms)
for i = 1, #taken, 2 do call('ZADD', due, later, taken[i]) end
local first = call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
local next_in = first and math.max(0, math.ceil(first - now_ms)) or -1
return {next_in, unpack(taken)}
`],
  },
);
