import { defineScript, type LuaScript } from "../executor/script.ts";
import { CLOCK_IN_TIME } from "./fragments/state.ts";

/**
 * Removes all messages of a queue in one step: none pushed meanwhile is lost.
 *
 * Answers the messages, in order, or `{code}`.
 */
export const LUA_QUEUE_DRAIN: LuaScript<"queue", "deadline_ms"> = defineScript({
  name: "queue_drain",
  keys: ["queue"],
  args: ["number:deadline_ms"],
  body: [
    CLOCK_IN_TIME,
    `
local messages = call('LRANGE', queue, 0, -1)
call('UNLINK', queue)
return messages
`,
  ],
});
