/**
 * The exported Lua scripts, whichever there are. `scripts/lua.ts` prints them,
 * a test asks the server whether it takes them.
 *
 * @module
 */

import * as library from "../../mod.ts";

/** Every exported script by the name of its constant, `LUA_…`. */
export const LUA_SCRIPTS: ReadonlyMap<string, library.LuaScript> = new Map(
  Object.entries(library as Record<string, unknown>)
    .filter((entry): entry is [string, library.LuaScript] =>
      entry[0].startsWith("LUA_")
    ),
);
