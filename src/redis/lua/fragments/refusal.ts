import { REPLY } from "../reply.ts";
import { SPAN } from "./state.ts";
import { TRACE_MS } from "./trace.ts";

/**
 * The trace with one more entry, behind the newest: that of a call which made
 * no version. The entry is of the present span of time, so that it is kept as
 * long as that of a write; all others but the newest are older by then.
 *
 * Needs `ops`, `clock`. Adds `noted(entry)`, which returns the text for the
 * field `ops`, or nil where it has no trace or has many already.
 */
export const NOTED = `
local function noted(entry)
  local head, newest, now, before, log_mark, written_in = string.match(ops or '',
    '^([^|]*|[^|]*|[^|]*|)([^ ~]* ?)([^~]*)~([^+]-)(%+?)(%d%d%d%d%d%d%d%d%d%d)$')
  if not head or #ops >= 4000 then return nil end
  if clock[1] >= written_in then
    ${SPAN.trim()}
    before = written_in + 32 == tonumber(span) and now or ''
    now, written_in = '', span
  end
  return head .. newest .. entry .. now .. '~' .. before .. log_mark .. written_in
end
`;

/**
 * Notes a refusal in the trace where it answers a retry, so that a first try
 * that arrives later is refused as well. A refusal that cannot be noted is not
 * certain.
 *
 * Needs `OLD_TRACE`, `JOINED_TRACE`, `KEEP_TRACE`, `NOTED`. Adds `refuse(answer, letter)`; the letter
 * says which refusal, see `ownWrite`; left out: a conflict.
 */
export const REFUSE = `
local function refuse(answer, letter)
  if not is_retry then return answer end
  local entry = (letter or 'c') .. '.' .. op .. ' '
  if version then
    local with_entry = noted(entry)
    if with_entry then
      call('HSET', record, 'ops', with_entry)
      keep_trace(entry, expires_at and expires_at * 1000)
    elseif ops then
      return {${REPLY.unknown}}
    end
  else
    -- Marked: no deletion has left this trace, a record may have expired before.
    call('SET', gone, joined_trace((was_gone and entry or entry .. '?') .. trace_now, trace_before), 'PX', ${TRACE_MS})
  end
  return answer
end
`;
