/**
 * The common creation: nothing is or was lately stored under the key, the
 * record has an expiry and a creation time, none of the owner's records has
 * expired, and the quotas have room.
 *
 * The indexes live as long as their longest-lived task, at most a minute
 * longer, so that most creations leave their expiry alone. An index without an
 * expiry holds a record without one.
 *
 * Permissions have been checked lately (see `mode`): no refusal comes between.
 *
 * Needs `STATE`, every record key, `want`, `expires_ms`, `deadline_ms`, `op`,
 * `mode`, `channel`, `task`, `data`.
 *
 * @param room Lua, true if the owner's quotas have room.
 * @param extra Lua, what else to write.
 * @param answer Lua, what to return.
 * @param entries Lua, more entries for the trace.
 */
export function fastInsert(
  room: string,
  extra: string,
  answer: string,
  entries: string = "''",
): string {
  return `
if not version and not ops and mode == '' and expires_ms and expires_ms > now_ms
  and (not deadline_ms or now_ms <= deadline_ms) then
  local created = string.match(want, '^.|([^|]+)')
  if created and call('EXISTS', gone) == 0
    and call('ZCOUNT', expiry_index, '-inf', string.format('(%.0f', now_ms)) == 0
    and ${room} then
    local active = string.byte(want) == 49
    local expires = string.format('%.0f', expires_ms)
    local last = string.format('%.0f', math.ceil(expires_ms / 60000) * 60000)
    call('SPUBLISH', channel, '1')
    local ends = call('PEXPIRETIME', expiry_index)
    call('ZADD', created_index, created, task)
    call('ZADD', expiry_index, expires, task)
    if active then call('ZADD', active_index, expires, task) end
    call('HSET', record, 'version', '1', 'data', data,
      'expires_at', string.format('%.0f', math.ceil(expires_ms / 1000)),
      'ops', want .. '1.' .. op .. ' ' .. ${entries} .. '~' .. gen)
    ${extra}
    call('PEXPIREAT', record, expires)
    if ends < expires_ms then
      call('PEXPIREAT', expiry_index, last)
      if call('PEXPIRETIME', created_index) ~= -1 or call('ZCARD', created_index) == 1 then
        call('PEXPIREAT', created_index, last)
      end
    end
    if active then
      local active_ends = call('PEXPIRETIME', active_index)
      if active_ends < expires_ms and (active_ends > 0 or call('ZCOUNT', active_index, '+inf', '+inf') == 0) then
        call('PEXPIREAT', active_index, last)
      end
    end
    return ${answer}
  end
end
`;
}
