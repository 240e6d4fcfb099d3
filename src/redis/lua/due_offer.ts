import { defineScript, type LuaScript } from "../executor/script.ts";
import { requirePermissions } from "./fragments/permissions.ts";

/** The life of a hint without an end, from when it was offered last. */
const ENDLESS_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Adds a hint that a key wants a worker, or moves it, and tells those who wait
 * where it has become the earliest. The set lives as long as its longest-lived
 * hint is of use (`until_ms`; empty: no end, and 30 days are enough for a
 * hint), at most a minute longer. `mode` is that of a write of a record.
 *
 * Answers 1.
 */
export const LUA_DUE_OFFER: LuaScript<
  "due",
  "member" | "at_ms" | "until_ms" | "channel" | "mode"
> = defineScript({
  name: "due_offer",
  keys: ["due"],
  args: ["member", "at_ms", "number:until_ms", "channel", "mode"],
  body: [
    `
local call = redis.call
if mode == 'p' then
  ${
      requirePermissions([
        "{'ZADD', due, '0', member}",
        "{'PEXPIREAT', due, '0'}",
        "{'ZRANK', due, member}",
        "{'SPUBLISH', channel, '0'}",
      ]).trim()
    }
end
if until_ms and until_ms <= call('TIME')[1] * 1000 then
  call('ZREM', due, member)
  return 1
end
-- A set keeps no ends of its own: without one, it would never end again.
if not until_ms then until_ms = call('TIME')[1] * 1000 + ${ENDLESS_MS} end
local ends = call('PEXPIRETIME', due)
call('ZADD', due, at_ms, member)
if ends < until_ms then
  call('PEXPIREAT', due, string.format('%.0f', math.ceil(until_ms / 60000) * 60000))
end
if call('ZRANK', due, member) == 0 then call('SPUBLISH', channel, at_ms) end
return 1
`,
  ],
});
