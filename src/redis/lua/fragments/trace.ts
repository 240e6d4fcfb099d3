/** The time a trace outlives what it belongs to, in milliseconds. */
export const TRACE_MS = 64_000;

/** The most bytes of trace beside the newest entry that `ops` itself holds. */
const OPS_BYTES = 400;

/** The most bytes of a `log`, and of the trace of a deleted record. */
const LOG_BYTES = 8_000;

/**
 * Reads what the stored record says of the writes before this one.
 *
 * Needs `STATE`, `SPAN`, `ownWrite`. Adds `old_etag`, the id of the latest write, empty
 * where another writer wrote it; `trace_now` and `trace_before`, the entries of
 * `ops` of this span of time and of the one before, `log_now` and `log_before`
 * those of `log` or `gone`; `is_cut`, whether entries of these spans are
 * missing.
 */
export const OLD_TRACE = `
local function aged(written_in, now, before)
  if not written_in or written_in + 32 < tonumber(span) then return '', '' end
  if written_in + 32 == tonumber(span) then return '', now end
  return now, before
end
local old_etag, trace_now, trace_before = '', '', ''
if ops then
  local now, before, written_in = string.match(ops, '^[^|]*|[^|]*|[^|]*|([^~]*)~([^+]-)%+?(%d%d%d%d%d%d%d%d%d%d)$')
  if written_in then
    local newest, id = string.match(now, '^(%d+)%.([^ ]*) ')
    if version and newest == version then old_etag = id end
    trace_now, trace_before = aged(written_in, now, before)
  end
end
local log_now, log_before = aged(string.match(log or was_gone or '', '^(%d+)|([^~]*)~(.*)$'))
local is_cut = string.find(log_now, '!', 1, true) or string.find(log_before, '!', 1, true)
`;

/**
 * Joins two traces under a bound: `<span>|<now>~<before>`. What does not fit is
 * cut and marked.
 *
 * Needs `OLD_TRACE`. Adds `joined_trace(first_now, first_before)`.
 */
export const JOINED_TRACE = `
local function joined_trace(first_now, first_before)
  local now, before = first_now .. log_now, first_before .. log_before
  if #now > ${LOG_BYTES} then
    now, before = string.sub(now, 1, ${LOG_BYTES}) .. '!', ''
  elseif #now + #before > ${LOG_BYTES} then
    before = string.sub(before, 1, ${LOG_BYTES} - #now) .. '!'
  end
  return span .. '|' .. now .. '~' .. before
end
`;

/**
 * Keeps the trace of a record that ends soon in `gone`, where it outlives the
 * record: bytes that arrive then are still known. It is marked with `?`, since
 * the shortest update does not add to it.
 *
 * Needs `JOINED_TRACE`, `now_ms`, `gone`. Adds `keep_trace(entries, ends_ms)`:
 * `entries` are the newest; nil for no end.
 */
export const KEEP_TRACE = `
local function keep_trace(entries, ends_ms)
  if not ends_ms or ends_ms >= now_ms + ${TRACE_MS} then return end
  call('SET', gone, joined_trace(entries .. '?' .. trace_now, trace_before),
    'PX', string.format('%.0f', ends_ms - now_ms + ${TRACE_MS}))
end
`;

/**
 * The trace with the write of `next_version` in front, as `ops` shall hold it,
 * and the `log` beside it (nil: none).
 *
 * Needs `JOINED_TRACE` and what it needs. Adds `grown_trace(next_version,
 * entries)`: `entries` are further ones, behind that of the write.
 */
export const GROWN_TRACE = `
local function grown_trace(next_version, entries)
  local entry = next_version .. '.' .. op .. ' ' .. (entries or '')
  local fits = #trace_now + #trace_before <= ${OPS_BYTES}
  if fits and log_now == '' and log_before == '' then
    return entry .. trace_now .. '~' .. trace_before .. span, nil
  end
  if fits then
    return entry .. trace_now .. '~' .. trace_before .. '+' .. span, joined_trace('', '')
  end
  return entry .. '~+' .. span, joined_trace(trace_now, trace_before)
end
`;
