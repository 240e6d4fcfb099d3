import { defineScript, type LuaScript } from "../executor/script.ts";
import {
  CARRY_OUT,
  NOW,
  READ_RECORD,
  RECORD_KEYS,
  REFRESH_INDEX_EXPIRY,
  WRITE_ARGS,
  WRITE_RECORD,
} from "./fragments/fragments.ts";

/**
 * Writes one record whatever stands there.
 *
 * Answers `{1, new version}`, or `{code, 0}` below 0 if a damaged record is in
 * its place, which stays as it is.
 */
export const LUA_PUT: LuaScript = defineScript(
  "put",
  RECORD_KEYS,
  WRITE_ARGS,
  NOW,
  READ_RECORD,
  CARRY_OUT,
  REFRESH_INDEX_EXPIRY,
  WRITE_RECORD,
  `
local code, version, _, has_expiry = read_record(record)
if code < 0 then return {code, 0} end
return {code, write_record(version, has_expiry)}
`,
);
