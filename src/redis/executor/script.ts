/**
 * Lua scripts as constants, and how one is run: by its SHA-1, and with its
 * source only where the server does not know it yet.
 */

import type { ScriptRunner } from "../connect.ts";

/**
 * A Lua script that runs inside Redis as one atomic step.
 *
 * @example Every script says what it takes
 * ```ts
 * import { LUA_DELETE } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(LUA_DELETE.name, "delete");
 * assertEquals(LUA_DELETE.keys, ["record", "created_index", "expiry_index"]);
 * ```
 */
export interface LuaScript {
  /** A short name, the first line of the source too. */
  readonly name: string;
  /** The Lua source, as it is sent to the server. */
  readonly source: string;
  /** What each of `KEYS` is, in order; a last `"..."` means any number. */
  readonly keys: readonly string[];
  /** What each of `ARGV` is, in order; a last `"..."` means any number. */
  readonly args: readonly string[];
}

/**
 * Makes a script whose `KEYS` and `ARGV` are bound to their names in its first
 * lines, so that the lists and the source cannot drift apart. An argument
 * named `number:x` is bound to `x` as a number, or `nil` where it is empty.
 */
export function defineScript(
  name: string,
  keys: readonly string[],
  args: readonly string[],
  ...body: readonly string[]
): LuaScript {
  const bindings = [
    ...keys.map((key, i) =>
      key === "..." ? "" : `local ${key} = KEYS[${i + 1}]`
    ),
    ...args.map((arg, i) => bindArgument(arg, i + 1)),
  ].filter((line) => line !== "");
  const source = [`-- ${name}`, ...bindings, ...body.map((part) => part.trim())]
    .join("\n");
  return {
    name,
    source,
    keys,
    args: args.map((arg) => arg.replace("number:", "")),
  };
}

function bindArgument(arg: string, index: number): string {
  if (arg === "...") return "";
  return arg.startsWith("number:")
    ? `local ${arg.slice("number:".length)} = tonumber(ARGV[${index}])`
    : `local ${arg} = ARGV[${index}]`;
}

/** SHA-1 of each script's source, computed once. */
const digests = new WeakMap<LuaScript, string>();

/**
 * Runs a script in one round trip, or in two when the server has lost its
 * script cache (a restart, a failover, SCRIPT FLUSH).
 */
export async function runScript(
  runner: ScriptRunner,
  script: LuaScript,
  keys: string[],
  args: string[],
): Promise<unknown> {
  let sha = digests.get(script);
  if (sha === undefined) {
    sha = await sha1(script.source);
    digests.set(script, sha);
  }
  const input = { keys, arguments: args };
  try {
    return await runner.evalSha(sha, input);
  } catch (error) {
    if (!isNoScript(error)) throw error;
    // NOSCRIPT: nothing has run. EVAL runs it and puts it into the cache.
    return await runner.eval(script.source, input);
  }
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

async function sha1(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes));
  return Array.from(digest, (b) => b.toString(16).padStart(2, "0")).join("");
}
