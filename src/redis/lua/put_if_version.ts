import { defineScript, type LuaScript } from "../executor/script.ts";
import { fastUpdate } from "./fragments/fast_update.ts";
import { LIVE_VERSION } from "./fragments/live_version.ts";
import { ownWrite } from "./fragments/own_write.ts";
import { CHECK_PERMISSIONS } from "./fragments/permissions.ts";
import { STATE } from "./fragments/state.ts";
import { FULL_WRITE, RECORD_KEYS, WRITE_ARGS } from "./record_script.ts";
import { REPLY } from "./reply.ts";

/**
 * Writes one record if it is the expected one.
 *
 * `expected` is `<version>.` for any write of that version, or
 * `<version>.<etag> ` (with a blank) for exactly that write. `lease_rule` is
 * empty, or says what the lease of `fence` must do: `holds`, `releases` (it
 * must hold, and ends with the write), `lapsed` (it must have run out, and is
 * removed).
 *
 * Answers the new version as text; `{0, actual version}` on a conflict, 0 for
 * no live record; `{-7}` and `{-8, ms left, holder}` by the lease rule; else
 * `{code}`.
 */
export const LUA_PUT_IF_VERSION: LuaScript<
  "record" | "created_index" | "expiry_index" | "active_index" | "gone",
  | "task"
  | "data"
  | "want"
  | "expires_ms"
  | "channel"
  | "op"
  | "deadline_ms"
  | "mode"
  | "expected"
  | "fence"
  | "lease_rule"
> = defineScript({
  name: "put_if_version",
  keys: RECORD_KEYS,
  args: ["expected", ...WRITE_ARGS, "fence", "lease_rule"],
  body: [
    STATE,
    // An exact etag needs no look for the own id: that write would have made
    // another newest entry. A refusal by a lease would not.
    fastUpdate(
      "expected",
      `string.sub(expected, 1, #version) == version
  and ((string.byte(expected, -1) == 32 and lease_rule == '') or (not string.find(ops, op .. ' ', #want, true)
    and (string.byte(ops, -11) ~= 43 or not string.find(call('HGET', record, 'log') or '', op .. ' ', 1, true)))) --[[own id]]
  and (lease_rule == '' or (lease and lease_rule ~= 'lapsed'
    and string.sub(lease, 1, #fence + 1) == fence .. '|'
    and tonumber(string.match(lease, '|(%d+)|')) > now_ms))`,
      "lease_rule == 'releases'",
    ),
    CHECK_PERMISSIONS,
    ownWrite("version_made"),
    LIVE_VERSION,
    ...FULL_WRITE,
    `
local expected_version, expected_etag = string.match(expected, '^(%d+)%.([^ ]*)')
-- Compared as text: exact, whatever the size.
local is_expected = version == expected_version
  and (expected_etag == '' or expected_etag == old_etag)
local is_exact = is_expected and expected_etag ~= ''
if is_retry and not is_exact then
  -- Not in the trace, so not executed; unless the trace was cut, or went with
  -- a record that was evicted, or the shortest update was followed by the end
  -- of the record.
  local may_have_expired = expires_ms and expires_ms <= now_ms
  local was_deleted = was_gone and not string.find(was_gone, '?', 1, true)
  if is_cut or may_have_expired or not (version or was_deleted) then return refuse({${REPLY.unknown}}, 'u') end
end
if not is_expected then return refuse({${REPLY.conflict}, version or '0'}) end
if lease_rule ~= '' then
  local held_fence, until_ms, holder = string.match(lease or '', '^(%d+)|(%d+)|[^|]*|(.*)$')
  local holds = held_fence and tonumber(until_ms) > now_ms
  if held_fence ~= fence or holder == '' or holds ~= (lease_rule ~= 'lapsed') then
    if held_fence == fence and holds then
      return refuse({${REPLY.held}, string.format('%.0f', until_ms - now_ms), holder}, 'h')
    end
    return refuse({${REPLY.fenced}}, 'l')
  end
end
return write_record(nil, lease_rule ~= '' and lease_rule ~= 'holds')
`,
  ],
});
