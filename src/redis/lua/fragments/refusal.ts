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
 * Adds an entry to the trace of the live record: in `ops`, or in `log` where
 * `ops` has many already; and in `gone` where the record ends soon. That comes
 * first: a user may not be permitted to write it.
 *
 * Needs `NOTED`, `SPAN`, `OLD_TRACE`, `JOINED_TRACE`, `KEEP_TRACE`,
 * `expires_at`. Adds `note(entry)`, false where the field is not as the library
 * writes it.
 */
export const NOTE = `
local function note(entry)
  local with_entry, new_log = noted(entry), nil
  if not with_entry then
    local start = string.match(ops, '^[^|]*|[^|]*|[^|]*|[^ ~]* ?')
    if not start then return false end
    with_entry, new_log = start .. '~+' .. span, joined_trace(entry .. trace_now, trace_before)
  end
  local ends = tonumber(expires_at or '')
  keep_trace(entry, ends and ends * 1000)
  if new_log then call('HSET', record, 'log', new_log) end
  call('HSET', record, 'ops', with_entry)
  return true
end
`;

/**
 * Notes a refusal in the trace where it answers a retry, so that a first try
 * that arrives later is refused as well. A refusal that cannot be noted is not
 * certain.
 *
 * Needs `NOTE` and what it needs. Adds `refuse(answer, letter)`; the letter
 * says which refusal, see `ownWrite`; left out: a conflict. A number in the
 * answer is noted in front of it.
 */
export const REFUSE = `
local function refuse(answer, letter)
  if not is_retry then return answer end
  letter = letter or 'c'
  local detail = letter ~= 'h' and answer and answer[2] or ''
  local entry = detail .. letter .. '.' .. op .. ' '
  if version and ops then
    if not note(entry) then return {${REPLY.unknown}} end
    -- Another program deletes a record with its trace.
    if not string.find(mode, 'k', 1, true) then return answer end
  end
  -- Marked: no deletion has left this trace, a record may have expired before.
  call('SET', gone, joined_trace((was_gone and entry or entry .. '?') .. trace_now, trace_before), 'PX', ${TRACE_MS})
  return answer
end
`;
