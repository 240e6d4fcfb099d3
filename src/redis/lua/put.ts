import { defineScript, type LuaScript } from "../executor/script.ts";
import { fastInsert } from "./fragments/fast_insert.ts";
import { fastUpdate } from "./fragments/fast_update.ts";
import { LIVE_VERSION } from "./fragments/live_version.ts";
import { ownWrite } from "./fragments/own_write.ts";
import { CHECK_PERMISSIONS } from "./fragments/permissions.ts";
import { STATE } from "./fragments/state.ts";
import { FULL_WRITE, RECORD_KEYS, WRITE_ARGS } from "./record_script.ts";
import { REPLY } from "./reply.ts";

/**
 * Writes one record whatever is stored.
 *
 * Answers the new version as text, or `{code}`.
 */
export const LUA_PUT: LuaScript<
  "record" | "created_index" | "expiry_index" | "active_index" | "gone",
  | "task"
  | "data"
  | "want"
  | "expires_ms"
  | "channel"
  | "op"
  | "deadline_ms"
  | "mode"
> = defineScript({
  name: "put",
  keys: RECORD_KEYS,
  args: WRITE_ARGS,
  body: [
    STATE,
    fastUpdate(
      "version .. '.'",
      `not string.find(ops, op .. ' ', #want, true) --[[own id]]
  and (string.byte(ops, -11) ~= 43 or not string.find(call('HGET', record, 'log') or '', op .. ' ', 1, true)) --[[own id]]`,
      "false",
    ),
    fastInsert("true", "", "'1'"),
    CHECK_PERMISSIONS,
    ownWrite("version_made"),
    LIVE_VERSION,
    ...FULL_WRITE,
    `
if is_retry and is_cut then return refuse({${REPLY.unknown}}, 'u') end
return write_record()
`,
  ],
});
