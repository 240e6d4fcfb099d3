import { defineScript, type LuaScript } from "../executor/script.ts";
import { requirePermissions } from "./fragments/permissions.ts";

/**
 * Adds a hint that a key wants a worker, or moves it, and tells those who wait
 * where it has become the earliest. The set lives as long as its longest-lived
 * hint is of use, at most a minute longer (`until_ms`; empty: no end). `mode`
 * is that of a write of a record.
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
        "{'PERSIST', due}",
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
local ends = call('PEXPIRETIME', due)
call('ZADD', due, at_ms, member)
if not until_ms then
  call('PERSIST', due)
elseif ends ~= -1 and ends < until_ms then
  call('PEXPIREAT', due, string.format('%.0f', math.ceil(until_ms / 60000) * 60000))
end
if call('ZRANK', due, member) == 0 then call('SPUBLISH', channel, at_ms) end
return 1
`,
  ],
});
