import { defineScript, type LuaScript } from "../executor/script.ts";

/**
 * Removes the first message of a queue.
 *
 * Answers `{message}`, or `{}` if the queue is empty.
 */
export const LUA_QUEUE_SHIFT: LuaScript = defineScript(
  "queue_shift",
  ["queue"],
  [],
  `
local message = redis.call('LPOP', queue)
return message and {message} or {}
`,
);
