/**
 * Pieces of Lua the scripts are put together from. Each names the locals it
 * expects and those it adds. Rule of all: first everything that can refuse
 * (types, permissions, damage), then the writes, so that no failure leaves a
 * record without its index entries or the reverse.
 */

/** What a script answers first; `redis_backend.ts` turns it into errors. */
export const REPLY = {
  ok: 1,
  conflict: 0,
  full: -1,
  badVersion: -2,
  badData: -3,
  badExpiry: -4,
} as const;

/** Adds `now_ms`, the server's time in epoch milliseconds. */
export const NOW = `
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
`;

/**
 * Adds `read_record(key)`: a code below 0 if the record is damaged, else 1,
 * then version (text), data and whether it has an expiry; version is nil when
 * there is no live record. A key of another type raises WRONGTYPE.
 * Needs `now_ms`.
 */
export const READ_RECORD = `
local function read_record(key)
  local fields = redis.call('HMGET', key, 'version', 'data', 'expires_at')
  local version, data, expires_at = fields[1], fields[2], fields[3]
  if expires_at then
    if not string.find(expires_at, '^%d+$') then return ${REPLY.badExpiry} end
    -- The second check: passed means absent, whatever the server still holds.
    if tonumber(expires_at) * 1000 <= now_ms then return ${REPLY.ok} end
  end
  if not version then
    if not data and redis.call('EXISTS', key) == 0 then return ${REPLY.ok} end
    return ${REPLY.badVersion}
  end
  if not string.find(version, '^[1-9]%d*$') or tonumber(version) > 9007199254740991 then
    return ${REPLY.badVersion}
  end
  if not data then return ${REPLY.badData} end
  return ${REPLY.ok}, version, data, expires_at ~= false
end
`;

/**
 * Adds `refresh_index_expiry()`: the indexes live as long as their
 * longest-lived task, and for ever while one of their tasks does.
 * Needs `created_index`, `expiry_index`, `indexes_expire`.
 */
export const REFRESH_INDEX_EXPIRY = `
local function refresh_index_expiry()
  if indexes_expire ~= '1' then return end
  if redis.call('ZCARD', expiry_index) < redis.call('ZCARD', created_index) then
    redis.call('PERSIST', created_index)
    redis.call('PERSIST', expiry_index)
  else
    local last = redis.call('ZRANGE', expiry_index, -1, -1, 'WITHSCORES')[2]
    if last then
      redis.call('PEXPIREAT', created_index, last)
      redis.call('PEXPIREAT', expiry_index, last)
    end
  end
end
`;

/**
 * Adds `drop_expired()` and `live_count()`. Dropping is bounded, so that an
 * owner with a backlog does not block the server; counting is exact meanwhile.
 * A task is expired when its score is below now, as the server sees its key.
 * Needs `created_index`, `expiry_index`, `now_ms`.
 */
export const EXPIRED_MEMBERS = `
local before_now = '(' .. string.format('%.0f', now_ms)
local function drop_expired()
  local gone = redis.call('ZRANGE', expiry_index, '-inf', before_now, 'BYSCORE', 'LIMIT', 0, 256)
  if #gone > 0 then
    redis.call('ZREM', created_index, unpack(gone))
    redis.call('ZREM', expiry_index, unpack(gone))
  end
end
local function live_count()
  return redis.call('ZCARD', created_index) - redis.call('ZCOUNT', expiry_index, '-inf', before_now)
end
`;

/**
 * Adds `write_record(version, has_expiry)`, which writes the record over the
 * live one of that version (nil: there is none), moves its index entries only
 * where they change, publishes the new version and returns it as a number.
 * Needs `record`, `task`, `data`, `expires_ms`, `created_ms`, `channel`,
 * `now_ms`, `refresh_index_expiry` and its locals.
 */
export const WRITE_RECORD = `
local function write_record(version, has_expiry)
  local old_created = tonumber(redis.call('ZSCORE', created_index, task))
  local old_expires = tonumber(redis.call('ZSCORE', expiry_index, task))
  local next_version = (tonumber(version) or 0) + 1
  -- Published first: who may not publish is stopped before anything is
  -- written. Nobody reads the record before this script has ended.
  local gone = expires_ms and expires_ms <= now_ms
  redis.call('SPUBLISH', channel, gone and '0' or string.format('%.0f', next_version))
  if gone then
    redis.call('ZREM', created_index, task)
    redis.call('ZREM', expiry_index, task)
    redis.call('DEL', record)
    refresh_index_expiry()
    return next_version
  end
  local created = created_ms or (version and old_created) or now_ms
  local changed = false
  if old_created ~= created then
    redis.call('ZADD', created_index, string.format('%.0f', created), task)
    changed = true
  end
  if expires_ms ~= old_expires then
    if expires_ms then
      redis.call('ZADD', expiry_index, string.format('%.0f', expires_ms), task)
    else
      redis.call('ZREM', expiry_index, task)
    end
    changed = true
  end
  -- A hash whose expires_at has passed may still be there; nothing of it stays.
  if not version then redis.call('DEL', record) end
  redis.call('HSET', record, 'data', data)
  redis.call('HINCRBY', record, 'version', 1)
  if expires_ms then
    if changed or not has_expiry then
      redis.call('HSET', record, 'expires_at', string.format('%.0f', math.ceil(expires_ms / 1000)))
      redis.call('PEXPIREAT', record, string.format('%.0f', expires_ms))
    end
  elseif has_expiry then
    redis.call('HDEL', record, 'expires_at')
    redis.call('PERSIST', record)
  end
  if changed then refresh_index_expiry() end
  return next_version
end
`;

/** The KEYS of every script that writes one record. */
export const RECORD_KEYS: readonly string[] = [
  "record",
  "created_index",
  "expiry_index",
];

/** The first ARGV of every script that writes one record. */
export const WRITE_ARGS: readonly string[] = [
  "task",
  "data",
  "number:expires_ms",
  "number:created_ms",
  "channel",
  "indexes_expire",
];
