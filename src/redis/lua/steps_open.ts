import { defineScript, type LuaScript } from "../executor/script.ts";
import { CLOCK_IN_TIME } from "./fragments/state.ts";
import { REPLY } from "./reply.ts";

/** The most bytes of data in one answer, unless one step alone is larger. */
const MOST_BYTES = 1_000_000;

/**
 * Reads recorded steps under the current lease: all names, and the data of as
 * many as fit into a bounded answer, from the name behind `after` on (empty:
 * from the first). Names are in byte order.
 *
 * Answers `{1, more, name, data, …}`: `more` is 1 if steps follow; else
 * `{code}`.
 */
export const LUA_STEPS_OPEN: LuaScript<
  "record",
  "fence" | "after" | "deadline_ms"
> = defineScript({
  name: "steps_open",
  keys: ["record"],
  args: ["fence", "after", "number:deadline_ms"],
  body: [
    CLOCK_IN_TIME,
    `
local state = call('HMGET', record, 'version', 'lease')
if not state[1] then return {${REPLY.absent}} end
local held_fence, until_ms = string.match(state[2] or '', '^(%d+)|(%d+)|')
if held_fence ~= fence or tonumber(until_ms) <= now_ms then return {${REPLY.fenced}} end
local fields = {}
for _, field in ipairs(call('HKEYS', record)) do
  if string.sub(field, 1, 5) == 'step:' and string.sub(field, 6) > after then
    fields[#fields + 1] = field
  end
end
table.sort(fields)
local answer, bytes = {${REPLY.applied}, 0}, 0
for _, field in ipairs(fields) do
  if bytes > ${MOST_BYTES} then
    answer[2] = 1
    break
  end
  local data = string.match(call('HGET', record, field), '^%d+|(.*)$')
  bytes = bytes + #data
  answer[#answer + 1] = string.sub(field, 6)
  answer[#answer + 1] = data
end
return answer
`,
  ],
});
