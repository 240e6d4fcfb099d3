import { SPAN } from "./state.ts";
import { TRACE_MS } from "./trace.ts";

/**
 * The common creation: nothing is or was lately stored under the key (nor is
 * there a damaged record), the
 * record has an expiry that is not near (see `KEEP_TRACE`) and a creation time,
 * and the quotas have room even if what has expired is counted.
 *
 * The indexes live as long as their longest-lived task, at most a minute
 * longer, so that most creations leave their expiry alone. An index without an
 * expiry holds a record without one. One creation in eight looks whether tasks
 * have expired, and leaves dropping them to the uncommon write: each drops more
 * than eight.
 *
 * Permissions have been checked lately (see `mode`): no refusal comes between.
 *
 * Needs `STATE`, every record key, `want`, `expires_ms`, `deadline_ms`, `op`,
 * `mode`, `channel`, `task`, `data`.
 *
 * @param room Lua, true if the owner's quotas have room; `active` is whether
 * this record is active.
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
if not version and not ops and mode == '' and expires_ms and expires_ms > now_ms + ${TRACE_MS}
  and (not deadline_ms or now_ms <= deadline_ms) then
  local created = string.match(want, '^.|([^|]+)')
  local active = string.byte(want) == 49
  if created and call('EXISTS', gone, record) == 0 and ${room}
    and (string.byte(op, -1) % 8 ~= 0
      or call('ZCOUNT', expiry_index, '-inf', string.format('(%.0f', now_ms)) == 0) then
    local expires = string.format('%.0f', expires_ms)
    ${SPAN.trim()}
    local ends = call('PEXPIRETIME', expiry_index)
    local active_ends = active and call('PEXPIRETIME', active_index)
    call('ZADD', created_index, created, task)
    call('ZADD', expiry_index, expires, task)
    if active then call('ZADD', active_index, expires, task) end
    call('HSET', record, 'version', '1', 'data', data,
      'expires_at', string.format('%.0f', math.ceil(expires_ms / 1000)),
      'ops', want .. '1.' .. op .. ' ' .. ${entries} .. '~' .. span)
    ${extra}
    call('PEXPIREAT', record, expires)
    local last = string.format('%.0f', math.ceil(expires_ms / 60000) * 60000)
    if ends < expires_ms then
      call('PEXPIREAT', expiry_index, last)
      if call('PEXPIRETIME', created_index) ~= -1 or call('ZCARD', created_index) == 1 then
        call('PEXPIREAT', created_index, last)
      end
    end
    -- Without an expiry (-1) it holds a record that has none.
    if active and active_ends ~= -1 and active_ends < expires_ms then
      call('PEXPIREAT', active_index, last)
    end
    call('SPUBLISH', channel, '1')
    return ${answer}
  end
end
`;
}
