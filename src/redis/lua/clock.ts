import { defineScript, type LuaScript } from "../executor/script.ts";

/**
 * Tells the time of the server that keeps a record.
 *
 * Answers `{seconds, microseconds}` as text.
 */
export const LUA_CLOCK: LuaScript<"record", never> = defineScript({
  name: "clock",
  keys: ["record"],
  args: [],
  body: ["return redis.call('TIME')"],
});
