import { defineScript, type LuaScript } from "../executor/script.ts";

/**
 * Tells the time of a server.
 *
 * Answers `{seconds, microseconds}` as text.
 */
export const LUA_CLOCK: LuaScript<never, never> = defineScript({
  name: "clock",
  keys: [],
  args: [],
  body: ["return redis.call('TIME')"],
});
