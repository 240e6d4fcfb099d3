import { defineScript, type LuaScript } from "../executor/script.ts";
import {
  CARRY_OUT,
  NOW,
  READ_RECORD,
  RECORD_KEYS,
  REFRESH_INDEX_EXPIRY,
  REPLY,
  WRITE_ARGS,
  WRITE_RECORD,
} from "./fragments/fragments.ts";

/**
 * Writes one record if it stands at the version expected.
 *
 * With `retry` "1" an earlier attempt may have been carried out and its answer
 * lost: then a record at the very next version with the very same bytes is
 * taken for that attempt's, so that a caller sees a conflict only when someone
 * else has won.
 *
 * Answers `{1, new version}`; `{0, actual version}` on a conflict, 0 for no
 * live record; `{code, 0}` below 0 if the record is damaged.
 */
export const LUA_PUT_IF_VERSION: LuaScript = defineScript(
  "put_if_version",
  RECORD_KEYS,
  [...WRITE_ARGS, "expected", "retry"],
  NOW,
  READ_RECORD,
  CARRY_OUT,
  REFRESH_INDEX_EXPIRY,
  WRITE_RECORD,
  `
local code, version, standing, has_expiry = read_record(record)
if code < 0 then return {code, 0} end
if not version then return {${REPLY.conflict}, '0'} end
-- Compared as text: exact, whatever the size.
if version ~= expected then
  local mine = retry == '1' and standing == data and tonumber(version) == tonumber(expected) + 1
  return {mine and ${REPLY.ok} or ${REPLY.conflict}, version}
end
return {code, write_record(version, has_expiry)}
`,
);
