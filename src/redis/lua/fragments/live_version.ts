import { REPLY } from "../reply.ts";

/**
 * Makes `version` that of the live record, or nil, and ends the script where
 * the record is damaged.
 *
 * Needs `STATE` and `ownWrite`.
 */
export const LIVE_VERSION = `
if expires_at and not string.find(expires_at, '^%d+$') then return {${REPLY.badExpiry}} end
if expires_at and expires_at * 1000 <= now_ms then
  -- The second check: passed means absent, whatever the server still holds.
  version = nil
elseif not version then
  if call('EXISTS', record) == 1 then return {${REPLY.badVersion}} end
elseif not string.find(version, '^[1-9]%d*$') or tonumber(version) > 9007199254740991 then
  return {${REPLY.badVersion}}
elseif call('HEXISTS', record, 'data') == 0 then
  return {${REPLY.badData}}
end
`;
