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
 * Adds `carry_out(commands, moves)`: runs commands only if the user may run
 * all of them, and those of `refresh_index_expiry` where `moves` says that it
 * follows. The command that is forbidden is called first: it raises the
 * server's own error before anything has been written.
 * Needs `created_index` where it moves.
 */
export const CARRY_OUT = `
local function carry_out(commands, moves)
  -- An event and one write cannot be stopped half-way: most updates are that.
  local is_event_and_write = #commands == 2 and commands[1][1] == 'SPUBLISH' and not moves
  if redis.acl_check_cmd and not is_event_and_write then
    local needed = {unpack(commands)}
    if moves then
      needed[#needed + 1] = {'ZCARD', created_index}
      needed[#needed + 1] = {'ZRANGE', created_index, '-1', '-1', 'WITHSCORES'}
      needed[#needed + 1] = {'PERSIST', created_index}
      needed[#needed + 1] = {'PEXPIREAT', created_index, '0'}
    end
    for _, command in ipairs(needed) do
      if not redis.acl_check_cmd(unpack(command)) then redis.call(unpack(command)) end
    end
  end
  for _, command in ipairs(commands) do redis.call(unpack(command)) end
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
 * where they change, publishes the new version and returns it, as text: clients
 * misread integers near 2^53.
 * Needs `record`, `task`, `data`, `expires_ms`, `created_ms`, `channel`,
 * `now_ms`, `carry_out`, `refresh_index_expiry` and their locals.
 */
export const WRITE_RECORD = `
local function as_text(number)
  return string.format('%.0f', number)
end
local function write_record(version, has_expiry)
  local old_created = tonumber(redis.call('ZSCORE', created_index, task))
  local old_expires = tonumber(redis.call('ZSCORE', expiry_index, task))
  local next_version = as_text((tonumber(version) or 0) + 1)
  if expires_ms and expires_ms <= now_ms then
    carry_out({
      {'SPUBLISH', channel, '0'},
      {'ZREM', created_index, task},
      {'ZREM', expiry_index, task},
      {'DEL', record},
    }, true)
    refresh_index_expiry()
    return next_version
  end
  -- Nobody reads the record before this script has ended: the event may go
  -- out before the write.
  local commands = {{'SPUBLISH', channel, next_version}}
  local function add(...) commands[#commands + 1] = {...} end
  local created = created_ms or (version and old_created) or now_ms
  local moves = old_created ~= created or old_expires ~= expires_ms
  if old_created ~= created then add('ZADD', created_index, as_text(created), task) end
  if old_expires ~= expires_ms then
    if expires_ms then
      add('ZADD', expiry_index, as_text(expires_ms), task)
    else
      add('ZREM', expiry_index, task)
    end
  end
  -- A hash whose expires_at has passed may still be there; nothing of it stays.
  if not version then add('DEL', record) end
  -- Version and data in one command: never one without the other.
  add('HSET', record, 'version', next_version, 'data', data)
  if expires_ms then
    if moves or not has_expiry then
      add('HSET', record, 'expires_at', as_text(math.ceil(expires_ms / 1000)))
      add('PEXPIREAT', record, as_text(expires_ms))
    end
  elseif has_expiry then
    add('HDEL', record, 'expires_at')
    add('PERSIST', record)
  end
  carry_out(commands, moves)
  if moves then refresh_index_expiry() end
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
