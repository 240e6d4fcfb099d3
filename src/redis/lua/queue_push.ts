import { defineScript, type LuaScript } from "../executor/script.ts";
import { CARRY_OUT, REPLY } from "./fragments/fragments.ts";

/**
 * Appends one message to a queue that has room, and makes the queue end with
 * its record; `ttl_ms` from now if there is no record, or one without end.
 * Check and append are one step, so that racing pushes cannot overshoot.
 *
 * `max_length` is empty for no bound.
 *
 * Answers `{1}`, or `{-1, length}` if the queue is full.
 */
export const LUA_QUEUE_PUSH: LuaScript = defineScript(
  "queue_push",
  ["queue", "record"],
  ["message", "number:max_length", "number:ttl_ms"],
  CARRY_OUT,
  `
local length = redis.call('LLEN', queue)
if max_length and length >= max_length then return {${REPLY.full}, length} end
local record_end_ms = redis.call('PEXPIRETIME', record)
carry_out({
  {'RPUSH', queue, message},
  record_end_ms > 0
    and {'PEXPIREAT', queue, string.format('%.0f', record_end_ms)}
    or {'PEXPIRE', queue, string.format('%.0f', ttl_ms)},
}, false)
return {${REPLY.ok}}
`,
);
