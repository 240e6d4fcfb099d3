import { defineScript, type LuaScript } from "../executor/script.ts";
import { CLOCK_IN_TIME } from "./fragments/state.ts";

/**
 * Removes the first message of a queue.
 *
 * Answers `{message}`, `{}` if the queue is empty, or `{code}`.
 */
export const LUA_QUEUE_SHIFT: LuaScript<"queue", "deadline_ms"> = defineScript({
  name: "queue_shift",
  keys: ["queue"],
  args: ["number:deadline_ms"],
  body: [
    CLOCK_IN_TIME,
    `
local message = call('LPOP', queue)
return message and {message} or {}
`,
  ],
});
