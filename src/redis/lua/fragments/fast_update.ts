import { SPAN } from "./state.ts";
import { TRACE_MS } from "./trace.ts";

/**
 * The common update: the library wrote the record last, and neither its place
 * nor its expiry changes, and it does not end soon. (An index may lose its last
 * record without an expiry only where its own expiry is set again.) Three commands and the time; an end of the record's
 * activity takes one more.
 *
 * The field `ops` is `<head><trace><span>`: the head
 * `<active>|<created ms>|<expires ms>|`, the trace
 * `<version>.<id> <version>.<id> ~<older ones>`, newest first, with a `+` at
 * its end where a field `log` holds more, and the end of the span of time of
 * the newest entry, in 10 digits of epoch seconds. `want` is the head as the
 * write wants it.
 *
 * The event comes last: the first command that writes may be refused (memory is
 * full, replicas are missing, the server is a replica by now), and a version
 * that was announced and not made would be taken for one of another life when
 * it is made. Permissions have been checked lately (see `mode`).
 *
 * Needs `STATE`, `active_index`, `want`, `expires_ms`, `deadline_ms`, `op`,
 * `mode`, `channel`, `task`, `data`.
 *
 * @param newest Lua text that the newest entry must begin with.
 * @param condition Lua, true if this write may be applied.
 * @param releases Lua, true if the lease ends with this write.
 */
export function fastUpdate(
  newest: string,
  condition: string,
  releases: string,
): string {
  return `
if version and ops and mode == '' and #ops < 500 and (not deadline_ms or now_ms <= deadline_ms)
  and (not expires_ms or expires_ms > now_ms + ${TRACE_MS})
  and string.find(ops, string.sub(want, 2) .. ${newest}, 2, true) == 2
  and ${condition} then
  local was, is = string.byte(ops), string.byte(want)
  local tail
  if clock[1] < string.sub(ops, -10) then
    tail = string.sub(ops, #want + 1)
  elseif string.byte(ops, -11) ~= 43 then
    -- The span has ended: entries of the one before are dropped, all others
    -- are older now.
    ${SPAN.trim()}
    local recent = string.match(ops, '^[^~]*', #want + 1)
    tail = (string.sub(ops, -10) + 32 == tonumber(span) and '~' .. recent or '~') .. span
  end
  if tail and (was == is or (is == 48 and expires_ms)) then
    local next_version = string.format('%.0f', version + 1)
    if was ~= is then call('ZREM', active_index, task) end
    call('HSET', record, 'version', next_version, 'data', data,
      'ops', want .. next_version .. '.' .. op .. ' ' .. tail)
    if ${releases} then call('HDEL', record, 'lease') end
    call('SPUBLISH', channel, next_version)
    return next_version
  end
end
`;
}
