import { defineScript, type LuaScript } from "../executor/script.ts";
import {
  CARRY_OUT,
  EXPIRED_MEMBERS,
  NOW,
  READ_RECORD,
  RECORD_KEYS,
  REFRESH_INDEX_EXPIRY,
  REPLY,
  WRITE_ARGS,
  WRITE_RECORD,
} from "./fragments/fragments.ts";

/**
 * Writes one record that must not exist, if its owner's quota has room: check
 * and write are one step, so that racing creates cannot overshoot it.
 *
 * `max_records` is empty for no quota. With `retry` "1" an earlier attempt may
 * have been carried out and its answer lost: then a record at version 1 with
 * the very same bytes is taken for that attempt's.
 *
 * Answers `{1, 1}`; `{0, actual version}` if it exists; `{-1, live records}`
 * at the quota; `{code, 0}` below that if a damaged record is in its place.
 */
export const LUA_CREATE: LuaScript = defineScript(
  "create",
  RECORD_KEYS,
  [...WRITE_ARGS, "number:max_records", "retry"],
  NOW,
  READ_RECORD,
  CARRY_OUT,
  REFRESH_INDEX_EXPIRY,
  EXPIRED_MEMBERS,
  WRITE_RECORD,
  `
local code, version, standing = read_record(record)
if code < 0 then return {code, 0} end
if version then
  local mine = retry == '1' and version == '1' and standing == data
  return {mine and ${REPLY.ok} or ${REPLY.conflict}, version}
end
drop_expired()
if max_records then
  local live = live_count()
  if live >= max_records then return {${REPLY.full}, live} end
end
return {code, write_record()}
`,
);
