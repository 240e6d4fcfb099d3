import { defineScript, type LuaScript } from "../executor/script.ts";
import { requirePermissions } from "./fragments/permissions.ts";
import { CLOCK_IN_TIME } from "./fragments/state.ts";
import { REPLY } from "./reply.ts";

/**
 * Appends one message to a queue that has room, and makes the queue end with
 * its record; `ttl_ms` from now if there is no record, or one without end.
 * Check and append are one step, so that racing pushes cannot overshoot.
 *
 * `max_length` is empty for no bound.
 *
 * Answers `{1}`, `{-1, length}` if the queue is full, or `{code}`.
 */
export const LUA_QUEUE_PUSH: LuaScript<
  "queue" | "record",
  "message" | "max_length" | "ttl_ms" | "deadline_ms"
> = defineScript({
  name: "queue_push",
  keys: ["queue", "record"],
  args: [
    "message",
    "number:max_length",
    "number:ttl_ms",
    "number:deadline_ms",
  ],
  body: [
    CLOCK_IN_TIME,
    requirePermissions([
      "{'RPUSH', queue, message}",
      "{'PEXPIREAT', queue, '0'}",
      "{'PEXPIRE', queue, '0'}",
    ]),
    `
local length = call('LLEN', queue)
if max_length and length >= max_length then return {${REPLY.full}, length} end
local record_end_ms = call('PEXPIRETIME', record)
call('RPUSH', queue, message)
if record_end_ms > 0 then
  call('PEXPIREAT', queue, string.format('%.0f', record_end_ms))
else
  call('PEXPIRE', queue, string.format('%.0f', ttl_ms))
end
return {${REPLY.applied}}
`,
  ],
});
