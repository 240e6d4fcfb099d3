/** The time a trace outlives what it belongs to, in milliseconds. */
export const TRACE_MS = 64_000;

/**
 * The trace with one more entry, behind the newest: that of a call which made
 * no version.
 *
 * Needs `ops`. Adds `noted(entry)`, which returns the text for the field `ops`,
 * or nil where it has no trace or has many already.
 */
export const NOTED = `
local function noted(entry)
  local head, newest, rest = string.match(ops or '', '^([^|]*|[^|]*|[^|]*|)([^ ~]* ?)(.*)$')
  return head and #ops < 4000 and head .. newest .. entry .. rest or nil
end
`;

/**
 * Notes a refusal in the trace where it answers a retry, so that a first try
 * that arrives later is refused as well.
 *
 * Needs `OLD_TRACE`, `JOINED_TRACE`, `NOTED`. Adds `refuse(answer, letter)`; the letter
 * says which refusal, see `ownWrite`; left out: a conflict.
 */
export const REFUSE = `
local function refuse(answer, letter)
  if not is_retry then return answer end
  local entry = (letter or 'c') .. '.' .. op .. ' '
  if version then
    local with_entry = noted(entry)
    if with_entry then call('HSET', record, 'ops', with_entry) end
  else
    -- No deletion has left this trace: `?`, a record may have expired before.
    call('SET', gone, joined_trace(was_gone and entry or entry .. '?', ''), 'PX', ${TRACE_MS})
  end
  return answer
end
`;
