import { defineScript, type LuaScript } from "../executor/script.ts";
import { EXPIRED_MEMBERS, NOW } from "./fragments/fragments.ts";

/**
 * Names the live tasks of one page of an owner; `read_records` reads them.
 *
 * `order` is "newest" or "oldest". The page begins behind the place
 * `after_created`, `after_task`, or at the end where those are empty. A call
 * walks over 5,000 members at most: an owner with a backlog of expired tasks
 * gets the rest of the page from a further call.
 *
 * Answers `{more, last_created, last_task, task, created, task, created, …}`:
 * `more` is 1 if live tasks may follow behind the place `last_…`.
 */
export const LUA_LIST_PAGE: LuaScript = defineScript(
  "list_page",
  ["created_index", "expiry_index"],
  ["order", "number:limit", "after_created", "after_task"],
  NOW,
  EXPIRED_MEMBERS,
  `
-- Byte by byte, as the sorted set does: Lua's own < follows the locale.
local function is_below(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- How many members come before the place, and whether one stands at it. The
-- member may be gone: then its rank is found by halving the members of its
-- score, which reads log2(n) of them and writes nothing.
local function rank_of_place()
  local score = redis.call('ZSCORE', created_index, after_task)
  if score and tonumber(score) == tonumber(after_created) then
    return redis.call('ZRANK', created_index, after_task), true
  end
  local low = redis.call('ZCOUNT', created_index, '-inf', '(' .. after_created)
  local high = low + redis.call('ZCOUNT', created_index, after_created, after_created)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_below(redis.call('ZRANGE', created_index, middle, middle)[1], after_task) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low, false
end

drop_expired()
local total = redis.call('ZCARD', created_index)
local rank = 0
if after_created ~= '' then
  local before, standing = rank_of_place()
  if order == 'newest' then
    rank = total - before
  else
    rank = before + (standing and 1 or 0)
  end
end

local found, walked = {}, 0
local last_created, last_task = after_created, after_task
while rank < total and walked < 5000 do
  local batch
  local stop = rank + limit
  if order == 'newest' then
    batch = redis.call('ZRANGE', created_index, rank, stop, 'REV', 'WITHSCORES')
  else
    batch = redis.call('ZRANGE', created_index, rank, stop, 'WITHSCORES')
  end
  local tasks = {}
  for i = 1, #batch, 2 do tasks[#tasks + 1] = batch[i] end
  local expiries = redis.call('ZMSCORE', expiry_index, unpack(tasks))
  for i = 1, #tasks do
    local expires = expiries[i]
    if not expires or tonumber(expires) >= now_ms then
      if #found == 2 * limit then return {1, last_created, last_task, unpack(found)} end
      found[#found + 1] = tasks[i]
      found[#found + 1] = batch[2 * i]
    end
    last_task, last_created = tasks[i], batch[2 * i]
  end
  rank = rank + #tasks
  walked = walked + #tasks
end
return {rank < total and 1 or 0, last_created, last_task, unpack(found)}
`,
);
