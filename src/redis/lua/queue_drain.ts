import { defineScript, type LuaScript } from "../executor/script.ts";

/**
 * Removes all messages of a queue in one step: none pushed meanwhile is lost.
 *
 * Answers the messages, in order.
 */
export const LUA_QUEUE_DRAIN: LuaScript = defineScript(
  "queue_drain",
  ["queue"],
  [],
  `
local messages = redis.call('LRANGE', queue, 0, -1)
redis.call('UNLINK', queue)
return messages
`,
);
