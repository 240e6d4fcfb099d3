/**
 * Lua scripts as constants, their arguments by name, and the commands that run
 * them.
 */

/**
 * A Lua script that runs inside Redis as one atomic step. Its keys and
 * arguments are not part of the compatibility promise.
 *
 * @example Every script says what it takes
 * ```ts
 * import { LUA_LEASE_RENEW } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(LUA_LEASE_RENEW.name, "lease_renew");
 * assertEquals(LUA_LEASE_RENEW.keys, ["record"]);
 * ```
 */
export interface LuaScript<
  Key extends string = string,
  Arg extends string = string,
> {
  /** A short name, the first line of the source too. */
  readonly name: string;
  /** The Lua source, as it is sent to the server. */
  readonly source: string;
  /** The name of each of `KEYS`, in order. */
  readonly keys: readonly Key[];
  /** The name of each of `ARGV`, in order. */
  readonly args: readonly Arg[];
  /** The name of any further `KEYS`, if the script takes a variable number. */
  readonly tail?: string;
}

/** The name of an argument: `number:x` is called `x`. */
type ArgName<Arg extends string> = Arg extends `number:${infer Name}` ? Name
  : Arg;

/** The definition of a script. */
export interface ScriptDefinition<Key extends string, Arg extends string> {
  readonly name: string;
  readonly keys: readonly Key[];
  /** `number:x` is bound to `x` as a number, or `nil` where it is empty. */
  readonly args: readonly Arg[];
  /** Any further keys; `<tail>_start` is the index of the first of them. */
  readonly tail?: string;
  /** The parts of the source behind the bindings. */
  readonly body: readonly string[];
}

/**
 * Makes a script whose `KEYS` and `ARGV` are bound to their names in its first
 * lines, so that the lists and the source cannot drift apart.
 */
export function defineScript<
  const Key extends string,
  const Arg extends string,
>(
  { name, keys, args, tail, body }: ScriptDefinition<Key, Arg>,
): LuaScript<Key, ArgName<Arg>> {
  const bindings = [
    ...keys.map((key, i) => `local ${key} = KEYS[${i + 1}]`),
    ...args.map((arg, i) => bindArgument(arg, i + 1)),
    ...(tail === undefined ? [] : [`local ${tail}_start = ${keys.length + 1}`]),
  ];
  const source = [`-- ${name}`, ...bindings, ...body.map((part) => part.trim())]
    .join("\n");
  return {
    name,
    source,
    keys,
    args: args.map((arg) => arg.replace("number:", "") as ArgName<Arg>),
    ...(tail === undefined ? {} : { tail }),
  };
}

function bindArgument(arg: string, index: number): string {
  return arg.startsWith("number:")
    ? `local ${arg.slice("number:".length)} = tonumber(ARGV[${index}])`
    : `local ${arg} = ARGV[${index}] or ''`;
}

/** Keys and arguments of one call, by name. */
export interface ScriptInput<Key extends string, Arg extends string> {
  readonly keys: Readonly<Record<Key, string>>;
  readonly args: Readonly<Record<Arg, string>>;
  /** The keys of the script's variable tail. */
  readonly tail?: readonly string[];
}

/**
 * Appends the number of keys, then keys and arguments in the script's order.
 * Empty arguments at the end are left out: to the script they are empty too,
 * and each word costs time on both sides.
 */
export function writeScriptInput<Key extends string, Arg extends string>(
  words: string[],
  script: LuaScript<Key, Arg>,
  { keys, args, tail }: ScriptInput<Key, Arg>,
): void {
  words.push(String(script.keys.length + (tail?.length ?? 0)));
  for (const key of script.keys) words.push(keys[key]);
  if (tail !== undefined) { for (const key of tail) words.push(key); }
  for (const arg of script.args) words.push(args[arg]);
  const first = words.length - script.args.length;
  while (words.length > first && words[words.length - 1] === "") words.pop();
}

/** Hexadecimal SHA-1 of a script's source, by which the server knows it. */
export async function sha1(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes));
  return Array.from(digest, (b) => b.toString(16).padStart(2, "0")).join("");
}
