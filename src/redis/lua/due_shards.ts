import { defineScript, type LuaScript } from "../executor/script.ts";

/**
 * The time the number is kept after an instance has last asked for it: 30 days.
 */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Tells into how many sets the hints of a queue are spread. It is kept in
 * Redis, so that instances of different releases agree; the first to ask
 * decides.
 *
 * Answers the number as text.
 */
export const LUA_DUE_SHARDS: LuaScript<"shards", "wanted"> = defineScript({
  name: "due_shards",
  keys: ["shards"],
  args: ["wanted"],
  body: [`
local count = redis.call('GET', shards) or wanted
redis.call('SET', shards, count, 'PX', ${KEPT_MS})
return count
`],
});
