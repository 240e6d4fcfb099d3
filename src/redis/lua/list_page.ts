import { defineScript, type LuaScript } from "../executor/script.ts";
import { EXPIRED_MEMBERS } from "./fragments/expired_members.ts";

/** The most members one call walks over. */
const MOST_WALKED = 5000;

/** The most active tasks that are put in order in one call. */
const MOST_SORTED = 1000;

/**
 * Names the live tasks of one page of an owner; plain commands read them.
 *
 * `order` is "newest" or "oldest"; with `active` "1" only active tasks are
 * named. The page begins behind the place `after_created`, `after_task`, or at
 * the end where those are empty. A call walks over a bounded number of
 * members: an owner with a backlog of expired tasks, or few active among many,
 * gets the rest of the page from a further call. `mode` is that of a write.
 *
 * Answers `{more, last_created, last_task, tasks}`: `more` is 1 if live tasks
 * follow behind the place `last_…`, 2 if the walk ended there before it was
 * known.
 */
export const LUA_LIST_PAGE: LuaScript<
  "created_index" | "expiry_index" | "active_index",
  "order" | "limit" | "after_created" | "after_task" | "active" | "mode"
> = defineScript({
  name: "list_page",
  keys: ["created_index", "expiry_index", "active_index"],
  args: [
    "order",
    "number:limit",
    "after_created",
    "after_task",
    "active",
    "mode",
  ],
  body: [
    `
local call = redis.call
local clock = call('TIME')
local now_ms = clock[1] * 1000 + clock[2] / 1000
`,
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

-- How many members come before the place, and whether one is at it. The
-- member may be gone: then its rank is found by halving the members of its
-- score, which reads log2(n) of them and writes nothing.
local function rank_of_place()
  local score = call('ZSCORE', created_index, after_task)
  if score and tonumber(score) == tonumber(after_created) then
    return call('ZRANK', created_index, after_task), true
  end
  local low = call('ZCOUNT', created_index, '-inf', '(' .. after_created)
  local high = low + call('ZCOUNT', created_index, after_created, after_created)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_below(call('ZRANGE', created_index, middle, middle)[1], after_task) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low, false
end

local none_expired = drop_expired()

-- Few active tasks are put in order here, however many have ended.
if active == '1' and call('ZCARD', active_index) <= ${MOST_SORTED} then
  local members = call('ZRANGE', active_index, math.floor(now_ms), '+inf', 'BYSCORE')
  if #members == 0 then return {0, '', '', {}} end
  local places = {}
  for i, created in ipairs(call('ZMSCORE', created_index, unpack(members))) do
    if created then places[#places + 1] = {members[i], created, tonumber(created)} end
  end
  local function comes_before(a, b)
    if order == 'newest' then a, b = b, a end
    if a[3] ~= b[3] then return a[3] < b[3] end
    return is_below(a[1], b[1])
  end
  table.sort(places, comes_before)
  local after = after_created ~= '' and {after_task, after_created, tonumber(after_created)}
  local more, tasks, last = 0, {}, {}
  for _, place in ipairs(places) do
    if not after or comes_before(after, place) then
      if #tasks == tonumber(limit) then
        more = 1
        break
      end
      tasks[#tasks + 1], last = place[1], place
    end
  end
  return {more, last[2] or '', last[1] or '', tasks}
end

local total = call('ZCARD', created_index)
local rank = 0
if after_created ~= '' then
  local before, is_there = rank_of_place()
  if order == 'newest' then
    rank = total - before
  else
    rank = before + (is_there and 1 or 0)
  end
end

if (none_expired or is_shared) and active ~= '1' then
  local range = {'ZRANGE', created_index, rank, rank + limit}
  if order == 'newest' then range[5] = 'REV' end
  local tasks = call(unpack(range))
  if #tasks <= limit then return {0, '', '', tasks} end
  tasks[#tasks] = nil
  local last = tasks[#tasks]
  return {1, call('ZSCORE', created_index, last), last, tasks}
end

local found, walked, now = {}, 0, math.floor(now_ms)
local last_created, last_task = after_created, after_task
while rank < total and walked < ${MOST_WALKED} do
  local batch
  local stop = rank + limit
  if order == 'newest' then
    batch = call('ZRANGE', created_index, rank, stop, 'REV', 'WITHSCORES')
  else
    batch = call('ZRANGE', created_index, rank, stop, 'WITHSCORES')
  end
  local tasks = {}
  for i = 1, #batch, 2 do tasks[#tasks + 1] = batch[i] end
  -- Without an expiry a task is live; without a place among the active, not.
  local ends = call('ZMSCORE', active == '1' and active_index or expiry_index, unpack(tasks))
  for i = 1, #tasks do
    local live = active ~= '1'
    if ends[i] then live = tonumber(ends[i]) >= now end
    if live then
      if #found == limit then return {1, last_created, last_task, found} end
      found[#found + 1] = tasks[i]
    end
    last_task, last_created = tasks[i], batch[2 * i]
  end
  rank = rank + #tasks
  walked = walked + #tasks
end
return {rank < total and 2 or 0, last_created, last_task, found}
`,
  ],
});
