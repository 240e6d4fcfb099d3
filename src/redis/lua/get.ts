import { defineScript, type LuaScript } from "../executor/script.ts";
import { NOW, READ_RECORD } from "./fragments/fragments.ts";

/**
 * Reads one record.
 *
 * Answers `{1, version, data, remaining_ms}`, with `remaining_ms` -1 for a
 * record that does not expire; `{1}` if there is no live record; `{code}`
 * below 0 if it is damaged.
 */
export const LUA_GET: LuaScript = defineScript(
  "get",
  ["record"],
  [],
  NOW,
  READ_RECORD,
  `
local code, version, data, has_expiry = read_record(record)
if not version then return {code} end
return {code, version, data, has_expiry and redis.call('PTTL', record) or -1}
`,
);
