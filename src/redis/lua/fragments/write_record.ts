import { TRACE_MS } from "./trace.ts";

/**
 * The uncommon write of one record, over the live one or as a new life.
 *
 * Needs `OLD_TRACE`, `GROWN_TRACE`, `KEEP_TRACE`, `INDEX_EXPIRY`, `EXPIRED_MEMBERS` and what
 * they need, `want`, `expires_ms`, `task`, `data`, `channel`. Adds
 * `write_record(new_lease, releases, entries)`, which returns the new version as text:
 * clients misread integers near 2^53.
 */
export const WRITE_RECORD = `
local function write_record(new_lease, releases, entries)
  local next_version = string.format('%.0f', (version or 0) + 1)
  if expires_ms and expires_ms <= now_ms then
    for _, index in ipairs({created_index, expiry_index, active_index}) do
      call('ZREM', index, task)
    end
    call('UNLINK', record)
    call('SET', gone, joined_trace(next_version .. '.' .. op .. ' ' .. (entries or '') .. trace_now, trace_before), 'PX', ${TRACE_MS})
    refresh_index_expiry()
    call('SPUBLISH', channel, '0')
    return next_version
  end

  if not version then drop_expired() end
  local active, created = string.match(want, '^(.)|([^|]*)')
  local old_created = call('ZSCORE', created_index, task)
  if created == '' then
    created = version and old_created or string.format('%.0f', math.floor(now_ms))
  end
  local expires = expires_ms and string.format('%.0f', expires_ms)

  local has_moved = false
  local function move(index, score, old)
    if tonumber(score) == tonumber(old) then return end
    has_moved = true
    if score then call('ZADD', index, score, task) else call('ZREM', index, task) end
  end
  move(created_index, created, old_created)
  local old_expires = call('ZSCORE', expiry_index, task)
  move(expiry_index, expires, old_expires)
  move(active_index, active == '1' and (expires or '+inf'), call('ZSCORE', active_index, task))

  -- A hash whose expires_at has passed may still be there: nothing of it stays.
  if not version then call('UNLINK', record, gone) end
  local trace, new_log = grown_trace(next_version, entries)
  call('HSET', record, 'version', next_version, 'data', data,
    'ops', active .. '|' .. created .. '|' .. (expires or '') .. '|' .. trace)
  if new_log then
    call('HSET', record, 'log', new_log)
  elseif version and log then
    call('HDEL', record, 'log')
  end
  if new_lease then
    call('HSET', record, 'lease', new_lease)
  elseif releases then
    call('HDEL', record, 'lease')
  end
  if expires then
    call('HSET', record, 'expires_at', string.format('%.0f', math.ceil(expires_ms / 1000)))
    call('PEXPIREAT', record, expires)
  elseif version and expires_at then
    call('HDEL', record, 'expires_at')
    call('PERSIST', record)
  end
  keep_trace(next_version .. '.' .. op .. ' ' .. (entries or ''), expires_ms)
  if has_moved then refresh_index_expiry() end
  call('SPUBLISH', channel, next_version)
  return next_version
end
`;
