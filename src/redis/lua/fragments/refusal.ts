/** The time a trace outlives what it belongs to, in milliseconds. */
export const TRACE_MS = 64_000;

/**
 * Notes a refusal in the trace where it answers a retry, so that a first try
 * that arrives later is refused as well.
 *
 * Needs `OLD_TRACE`, `JOINED_TRACE`. Adds `refuse(answer, letter)`; the letter
 * says which refusal, see `ownWrite`; left out: a conflict.
 */
export const REFUSE = `
local function refuse(answer, letter)
  if not is_retry then return answer end
  local entry = (letter or 'c') .. '.' .. op .. ' '
  if version then
    local head, newest, rest, span = string.match(ops or '', '^([^|]*|[^|]*|[^|]*|)([^ ~]* ?)(.*)(%d%d%d%d%d%d%d%d%d%d)$')
    if head and #ops < 4000 then call('HSET', record, 'ops', head .. newest .. entry .. rest .. span) end
  else
    -- Without a trace there is no telling what was written before.
    call('SET', gone, joined_trace(was_gone and entry or entry .. '!', ''), 'PX', ${TRACE_MS})
  end
  return answer
end
`;
