/**
 * Makes each index live as long as its longest-lived task, at most a minute
 * longer, and without an expiry while it holds a task that has none.
 *
 * Under the key schema `pmcp` (`k` in `mode`) indexes keep none: its other
 * writers add tasks without extending it.
 *
 * Needs `call`, `mode`, the indexes. Adds `refresh_index_expiry()`.
 */
export const INDEX_EXPIRY = `
local function refresh_index_expiry()
  if string.find(mode, 'k', 1, true) then return end
  local function last_minute(index)
    local last = tonumber(call('ZRANGE', index, -1, -1, 'WITHSCORES')[2])
    return last and last < math.huge and string.format('%.0f', math.ceil(last / 60000) * 60000)
  end
  local function set(index, ends)
    if ends then call('PEXPIREAT', index, ends) else call('PERSIST', index) end
  end
  local ends = last_minute(expiry_index)
  if ends then set(expiry_index, ends) end
  set(created_index, call('ZCARD', expiry_index) == call('ZCARD', created_index) and ends)
  set(active_index, last_minute(active_index))
end
`;
