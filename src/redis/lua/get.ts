import { defineScript, type LuaScript } from "../executor/script.ts";

/** The fields of a record, in the order `src/redis/replies.ts` reads them. */
export const RECORD_FIELDS = [
  "version",
  "data",
  "expires_at",
  "ops",
  "lease",
] as const;

/** The same as Lua arguments of HMGET. */
export const HMGET_FIELDS: string = RECORD_FIELDS.map((name) => `'${name}'`)
  .join(", ");

/**
 * Reads one record where plain HMGET leaves a doubt: whether it has expired is
 * judged by the server's clock.
 *
 * Answers the fields of the live record, as HMGET does; `{}` if its expiry has
 * passed.
 */
export const LUA_GET: LuaScript<"record", never> = defineScript({
  name: "get",
  keys: ["record"],
  args: [],
  body: [`
local fields = redis.call('HMGET', record, ${HMGET_FIELDS})
local expires_at = fields[3]
if expires_at and string.find(expires_at, '^%d+$') and expires_at * 1000 <= redis.call('TIME')[1] * 1000 then
  return {}
end
return fields
`],
});
