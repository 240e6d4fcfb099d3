/** The most expired members one call drops, so that it never blocks for long. */
const MOST_DROPPED = 256;

/**
 * Drops expired tasks from the indexes, a bounded number, and counts exactly
 * meanwhile. A task is expired when its score is below now, as the server sees
 * its key.
 *
 * Under the key schema `pmcp` (`k` in `mode`) the other writers keep neither
 * expiry nor activity: tasks leave the index by creation where their record is
 * found to be gone, and until then they count.
 *
 * Needs `call`, `now_ms`, `mode`, the indexes. Adds `drop_expired()`, which tells
 * whether none is left, `live_count()` and `active_count()`.
 */
export const EXPIRED_MEMBERS = `
local is_shared = string.find(mode, 'k', 1, true)
local before_now = string.format('(%.0f', math.floor(now_ms))
local function drop_expired()
  local expired = call('ZRANGE', expiry_index, '-inf', before_now, 'BYSCORE', 'LIMIT', 0, ${MOST_DROPPED})
  if #expired == 0 then return true end
  if not is_shared then call('ZREM', created_index, unpack(expired)) end
  call('ZREM', expiry_index, unpack(expired))
  call('ZREM', active_index, unpack(expired))
  return #expired < ${MOST_DROPPED}
end
local function live_count()
  if is_shared then return call('ZCARD', created_index) end
  return call('ZCARD', created_index) - call('ZCOUNT', expiry_index, '-inf', before_now)
end
local function active_count()
  return call('ZCARD', active_index) - call('ZCOUNT', active_index, '-inf', before_now)
end
`;
