/**
 * The common update: the library wrote the record last, and neither its place
 * nor its expiry changes. Three commands and the time; an end of the record's
 * activity takes one more.
 *
 * The field `ops` is `<head><trace><gen>`: the head
 * `<active>|<created ms>|<expires ms>|`, the trace
 * `<version>.<id> <version>.<id> ~<older ones>`, newest first, with a `+` at
 * its end where a field `log` holds more, and the span of time of the newest
 * entry in 8 digits. `want` is the head as the write wants it.
 *
 * A refused command leaves nothing half-written: SPUBLISH and ZREM come before
 * the one HSET, and permissions have been checked lately (see `mode`).
 *
 * Needs `STATE`, `active_index`, `want`, `expires_ms`, `deadline_ms`, `op`,
 * `mode`, `channel`, `task`, `data`.
 *
 * @param condition Lua, true if this write may be applied; `head` is the
 * length of `want`.
 * @param releases Lua, true if the lease ends with this write.
 */
export function fastUpdate(condition: string, releases: string): string {
  return `
if version and ops and mode == '' and (not deadline_ms or now_ms <= deadline_ms)
  and (not expires_ms or expires_ms > now_ms) then
  local head, newest = #want, version .. '.'
  if string.sub(ops, 2, head) == string.sub(want, 2)
    and string.sub(ops, head + 1, head + #newest) == newest
    and ${condition} then
    local trace = string.sub(ops, head + 1, -9)
    local written_in, fits = string.sub(ops, -8), #trace < 640
    if written_in ~= gen then
      fits = string.byte(trace, -1) ~= 43
      trace = written_in + 1 == tonumber(gen) and '~' .. string.match(trace, '^[^~]*') or '~'
    end
    local was, is = string.byte(ops), string.byte(want)
    if fits and (was == is or is == 48) then
      local next_version = string.format('%.0f', version + 1)
      call('SPUBLISH', channel, next_version)
      if was ~= is then call('ZREM', active_index, task) end
      call('HSET', record, 'version', next_version, 'data', data,
        'ops', want .. next_version .. '.' .. op .. ' ' .. trace .. gen)
      if ${releases} then call('HDEL', record, 'lease') end
      return next_version
    end
  end
end
`;
}
