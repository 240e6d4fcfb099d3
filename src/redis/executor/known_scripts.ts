/** The scripts a server knows, and whether the user may run what they run. */

import { type LuaScript, sha1 } from "./script.ts";

/** The time a check of permissions is relied on, in milliseconds. */
const PERMISSIONS_MS = 10_000;

/** SHA-1 of each script's source; false while it is computed. */
const digests = new WeakMap<LuaScript, string | false>();

/** The state of a script on one connection. */
export class ScriptState {
  /** Whether the server has it. */
  isLoaded = false;
  /**
   * When a call began that has checked its permissions and was answered, as
   * `performance.now()` has it. Until the answer no other relies on it: calls
   * that were sent together would be refused half-way.
   */
  checkedAtMs = -Infinity;

  /** Whether a call that begins at this time must check its permissions. */
  isCheckDue(nowMs: number): boolean {
    return nowMs - this.checkedAtMs > PERMISSIONS_MS;
  }
}

/** The states of all scripts on one connection, none of them known at first. */
export class KnownScripts {
  readonly #states = new Map<LuaScript, ScriptState>();

  /** Returns the state of a script, to be kept up by the executor. */
  stateOf(script: LuaScript): ScriptState {
    let state = this.#states.get(script);
    if (state === undefined) {
      this.#states.set(script, state = new ScriptState());
    }
    return state;
  }
}

/** Begins the command that runs a script: by its digest if the server has it. */
export function beginCommand(script: LuaScript, state: ScriptState): string[] {
  const digest = digestOf(script);
  return state.isLoaded && digest
    ? ["EVALSHA", digest]
    // The first calls of a process go out at once, with the source.
    : ["EVAL", script.source];
}

/** Returns the digest of a script, once it is known; it is computed beside. */
function digestOf(script: LuaScript): string | false {
  const digest = digests.get(script);
  if (digest !== undefined) return digest;
  digests.set(script, false);
  sha1(script.source).then((text) => digests.set(script, text));
  return false;
}
