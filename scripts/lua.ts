/**
 * `deno task lua [NAME]`: prints a Lua script as the server gets it. `NAME` is
 * that of its constant or of the script (`LUA_PUT`, `put`); without one, every
 * script is listed with what it takes.
 *
 * @module
 */

import * as library from "../mod.ts";

/** The exported scripts, by the name of their constant. */
function scripts(): Map<string, library.LuaScript> {
  return new Map(
    Object.entries(library as Record<string, unknown>)
      .filter(([name]) => name.startsWith("LUA_")) as [
        string,
        library.LuaScript,
      ][],
  );
}

if (import.meta.main) {
  const [wanted, ...rest] = Deno.args;
  if (rest.length > 0) {
    console.error("usage: deno task lua [NAME]");
    Deno.exit(2);
  }
  const known = scripts();
  const found = [...known].find(([constant, { name }]) =>
    wanted === constant || wanted === name
  )?.[1];
  if (found) console.log(found.source);
  else if (wanted === undefined) {
    for (const [constant, { name, source, keys, args }] of known) {
      console.log(`${constant}  ${name}, ${source.split("\n").length} lines`);
      console.log(`  KEYS ${keys.join(", ")}\n  ARGV ${args.join(", ")}`);
    }
  } else {
    const names = [...known.values()].map(({ name }) => name);
    console.error(
      `"${wanted}" is no script: expected one of ${names.join(", ")}`,
    );
    Deno.exit(2);
  }
}
