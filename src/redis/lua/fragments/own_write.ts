import { REPLY } from "../reply.ts";

/**
 * Ends the script where it is a repetition of itself, or comes too late.
 *
 * The trace of ids is complete for the last 32 seconds at least, longer than
 * any operation is tried: an id that is not in it was not executed. It
 * outlives its record in the key `gone`, and a new life takes it over.
 *
 * A refusal that answers a retry is in it as well, under a letter: bytes of the
 * first try that were held up in the network may still arrive, after the caller
 * has been told that nothing was written. `c` conflict, `q` quota of records,
 * `a` of active ones, `l` fenced, `h` the lease is held, `u` unknown, `n`
 * nothing was there to delete; in front of `c`, `q` and `a` the number that was
 * told.
 *
 * Needs `STATE`, `gone`, `op`, `deadline_ms`, `mode`. Adds `is_retry`,
 * `expires_at`, `log`, `was_gone`.
 *
 * @param repeated Lua, what to answer for an own write, which made the version
 * `version_made` (0: it was a deletion).
 * @param finders Lua, functions that `repeated` calls.
 */
export function ownWrite(repeated: string, finders: string = ""): string {
  return `
local is_retry = string.find(mode, 'r', 1, true)
local fields = call('HMGET', record, 'expires_at', 'log')
local expires_at, log = fields[1], fields[2]
-- Another program keeps no trace with the record it writes.
local was_gone = not (version and ops) and call('GET', gone)

${finders}
local function version_made_in(trace)
  local at = trace and string.find(trace, '.' .. op .. ' ', 1, true) --[[own id]]
  return at and string.match(string.sub(trace, math.max(1, at - 17), at - 1), '([%dcfqahlun]+)$')
end
local version_made = version_made_in(ops) or version_made_in(log) or version_made_in(was_gone)
local detail, letter = string.match(version_made or '', '^(%d*)(%a?)$')
if string.find(mode, 'o', 1, true) and (letter == 'q' or letter == 'a') then
  version_made, letter = nil, ''
end
local refusal = ({c = ${REPLY.conflict}, q = ${REPLY.full}, a = ${REPLY.activeFull}, l = ${REPLY.fenced}, u = ${REPLY.unknown}})[letter]
if refusal then return {refusal, detail} end
if letter == 'h' then
  local until_ms, holder = string.match(lease or '', '^%d+|(%d+)|[^|]*|(.*)$')
  return {${REPLY.held}, string.format('%.0f', math.max(0, (until_ms or 0) - now_ms)), holder or ''}
end
if letter == 'n' then return 0 end
if version_made then return ${repeated} end
if deadline_ms and now_ms > deadline_ms then
  return {${REPLY.late}, string.format('%.0f', now_ms)}
end
`;
}
