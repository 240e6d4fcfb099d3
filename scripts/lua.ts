/**
 * `deno task lua [NAME]`: prints a Lua script as the server gets it. `NAME` is
 * that of its constant or of the script (`LUA_PUT`, `put`); without one, every
 * script is listed with what it takes.
 *
 * @module
 */

import { LUA_SCRIPTS } from "./lib/lua_scripts.ts";

if (import.meta.main) {
  const [wanted, ...rest] = Deno.args;
  if (rest.length > 0) {
    console.error("usage: deno task lua [NAME]");
    Deno.exit(2);
  }
  const found = [...LUA_SCRIPTS].find(([constant, { name }]) =>
    wanted === constant || wanted === name
  )?.[1];
  if (found) console.log(found.source);
  else if (wanted === undefined) {
    for (const [constant, { name, source, keys, args }] of LUA_SCRIPTS) {
      console.log(`${constant}  ${name}, ${source.split("\n").length} lines`);
      console.log(`  KEYS ${keys.join(", ")}\n  ARGV ${args.join(", ")}`);
    }
  } else {
    const names = [...LUA_SCRIPTS.values()].map(({ name }) => name);
    console.error(
      `"${wanted}" is no script: expected one of ${names.join(", ")}`,
    );
    Deno.exit(2);
  }
}
