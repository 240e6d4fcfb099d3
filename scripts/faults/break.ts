/**
 * Breaks the library on purpose, to show that the checker notices: in the
 * source of a script before it is sent first, or in the rule of retries.
 */

import * as library from "../../mod.ts";
import { ScriptExecutor } from "../../src/redis/executor/executor.ts";
import type { ScriptCall } from "../../src/redis/executor/script_call.ts";

/** The look for the own id, on lines marked so. */
const OWN_ID = /string\.find\([^()]*\)(?=[^\n]*--\[\[own id\]\])/g;

/** The scripts that look for their own id. */
const NAMED = ["create", "put", "put_if_version", "delete"];

const BREAKS: ReadonlyMap<string, () => void> = new Map([
  // Takes the id check out of one script.
  ...NAMED.map((script) =>
    [`own-id:${script}`, () => patch(script, OWN_ID, "nil")] as const
  ),
  // Lets the shortest script write over any write.
  [
    "own-id:update",
    () => patch("update", "if string.find(ops, old, 2, true) ~= 2", "if false"),
  ],
  // Turns the rule of retries one way and the other.
  ["retry:always", () => change(() => ({ kind: "idempotent" }))],
  ["retry:never", () => change(() => ({ kind: "non_idempotent" }))],
  // Leaves no note of a refusal for a first try that arrives later.
  [
    "refusal:create",
    () =>
      patch(
        "create",
        "if not is_retry then return answer end",
        "do return answer end",
      ),
  ],
]);

/** Applies one of the breaks by its name. */
export function breakLibrary(name: string): void {
  const apply = BREAKS.get(name);
  if (!apply) {
    throw new RangeError(
      `--break is ${name}: expected one of ${[...BREAKS.keys()].join(", ")}`,
    );
  }
  apply();
}

function patch(name: string, pattern: RegExp | string, by: string): void {
  const script = Object.values(library).find((value) =>
    typeof value === "object" && value !== null && "source" in value &&
    value.name === name
  ) as { source: string } | undefined;
  if (!script) throw new Error(`no exported script is named ${name}`);
  const source = script.source.replace(pattern, by);
  if (source === script.source) {
    throw new Error(`the script ${name} has nothing of ${pattern}`);
  }
  script.source = source;
}

type AnyCall = ScriptCall<unknown>;

/** Changes every call that writes. */
function change(part: (call: AnyCall) => Partial<AnyCall>): void {
  const { run } = ScriptExecutor.prototype;
  const changed = (call: AnyCall): AnyCall => {
    if (call.kind === "read") return call;
    const { otherwise } = call;
    return {
      ...call,
      ...part(call),
      ...(otherwise ? { otherwise: () => changed(otherwise()) } : {}),
    };
  };
  ScriptExecutor.prototype.run = function <T>(call: ScriptCall<T>): Promise<T> {
    return run.call(this, changed(call as AnyCall)) as Promise<T>;
  };
}
