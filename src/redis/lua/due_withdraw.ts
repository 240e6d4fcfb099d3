import { defineScript, type LuaScript } from "../executor/script.ts";

/**
 * Removes a hint.
 *
 * Answers 1 if it was there, else 0.
 */
export const LUA_DUE_WITHDRAW: LuaScript<"due", "member"> = defineScript({
  name: "due_withdraw",
  keys: ["due"],
  args: ["member"],
  body: ["return redis.call('ZREM', due, member)"],
});
