/**
 * The first lines of every script that writes one record.
 *
 * Needs `record`. Adds `call`, `version`, `ops`, `lease` (false where absent),
 * `clock` and `now_ms`.
 */
export const STATE = `
local call = redis.call
local state = call('HMGET', record, 'version', 'ops', 'lease')
local version, ops, lease = state[1], state[2], state[3]
local clock = call('TIME')
local now_ms = clock[1] * 1000 + clock[2] / 1000
`;

/**
 * Adds `now_ms`, and ends the script with `late` if the deadline has passed:
 * its caller has been answered, what arrives now must not be executed.
 *
 * Needs `deadline_ms`. Adds `call`, `clock`, `now_ms`.
 */
export const CLOCK_IN_TIME = `
local call = redis.call
local clock = call('TIME')
local now_ms = clock[1] * 1000 + clock[2] / 1000
if deadline_ms and now_ms > deadline_ms then return {-5, string.format('%.0f', now_ms)} end
`;

/**
 * The second check of an expiry: passed means absent, whatever the server still
 * holds.
 *
 * Needs `now_ms`. Adds `has_passed(expires_at)`.
 */
export const HAS_PASSED = `
local function has_passed(expires_at)
  return expires_at and string.find(expires_at, '^%d+$') and expires_at * 1000 <= now_ms
end
`;

/**
 * The end of the present span of 32 seconds, by which the trace of operation
 * ids ages, as 10 digits of epoch seconds: compared as text.
 *
 * Needs `clock`. Adds `span`.
 */
export const SPAN = `
local span = string.format('%.0f', clock[1] - clock[1] % 32 + 32)
`;
