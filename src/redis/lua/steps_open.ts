import { defineScript, type LuaScript } from "../executor/script.ts";
import { CLOCK_IN_TIME, HAS_PASSED } from "./fragments/state.ts";
import { REPLY } from "./reply.ts";

/** The most bytes of data in one answer, unless one step alone is larger. */
const MOST_BYTES = 256_000;

/** The most steps in one answer. */
const MOST_STEPS = 250;

/**
 * Reads recorded steps under the current lease, in the order they were
 * recorded: behind the number `after` (empty: from the first), as many as fit
 * into an answer that is bounded in steps and in bytes. Whatever else the
 * record holds is not looked at.
 *
 * Answers `{1, last, name, data, …}`: `last` is the number of the last step
 * read, 0 if none follows; else `{code}`.
 */
export const LUA_STEPS_OPEN: LuaScript<
  "record",
  "fence" | "after" | "deadline_ms"
> = defineScript({
  name: "steps_open",
  keys: ["record"],
  args: ["fence", "number:after", "number:deadline_ms"],
  body: [
    CLOCK_IN_TIME,
    HAS_PASSED,
    `
local state = call('HMGET', record, 'version', 'lease', 'steps', 'expires_at')
if not state[1] or has_passed(state[4]) then return {${REPLY.absent}} end
local held_fence, until_ms = string.match(state[2] or '', '^(%d+)|(%d+)|')
if held_fence ~= fence or tonumber(until_ms) <= now_ms then return {${REPLY.fenced}} end
local count, first = tonumber(state[3] or 0), (after or 0) + 1
local answer, bytes = {${REPLY.applied}, 0}, 0
if first > count then return answer end
local last = math.min(count, first + ${MOST_STEPS - 1})
local fields = {}
for n = first, last do fields[#fields + 1] = 'step#' .. string.format('%.0f', n) end
for i, name in ipairs(call('HMGET', record, unpack(fields))) do
  if bytes > ${MOST_BYTES} then
    answer[2] = first + i - 2
    return answer
  end
  local data = string.match(call('HGET', record, 'step:' .. name), '^%d+|(.*)$')
  bytes = bytes + #data
  answer[#answer + 1] = name
  answer[#answer + 1] = data
end
if last < count then answer[2] = last end
return answer
`,
  ],
});
