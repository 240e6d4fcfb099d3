import { defineScript, type LuaScript } from "../executor/script.ts";
import { EXPIRED_MEMBERS, NOW } from "./fragments/fragments.ts";

/**
 * Names all tasks of an owner, oldest first; `read_records` reads them.
 *
 * Answers their ids. Some may have expired: they have no record any more.
 */
export const LUA_LIST_TASKS: LuaScript = defineScript(
  "list_tasks",
  ["created_index", "expiry_index"],
  [],
  NOW,
  EXPIRED_MEMBERS,
  `
drop_expired()
return redis.call('ZRANGE', created_index, 0, -1)
`,
);
