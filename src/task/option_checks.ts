/** The border of `TaskStore`: the checks of its own options. */

import type { StorageBackend } from "../storage/backend.ts";
import { requireInteger } from "../storage/checks.ts";
import {
  optional,
  requireBoolean,
  requireFunction,
  requireNames,
  wrongKind,
} from "./argument_checks.ts";
import type { TaskStoreOptions } from "./options.ts";
import { quoted } from "./quoted.ts";

/** Every option of a store: a misspelt `encryption` must not leave it out. */
const STORE_OPTIONS: { [Name in keyof Required<TaskStoreOptions>]: true } = {
  limits: true,
  allowAnonymous: true,
  pollIntervalMs: true,
  retention: true,
  encryption: true,
  maxWriteAttempts: true,
  clock: true,
};

/**
 * Checks the options of a store, but for what its limits and keys are.
 *
 * @throws {TypeError} If an option has another type, or an unknown name.
 * @throws {RangeError} If it is out of its range.
 */
export function checkStoreOptions(options: TaskStoreOptions): void {
  requireNames("options", options, Object.keys(STORE_OPTIONS));
  const { allowAnonymous, pollIntervalMs, retention, encryption } = options;
  const { maxWriteAttempts, clock } = options;
  optional(requireBoolean, "allowAnonymous", allowAnonymous);
  optional(requirePositive, "pollIntervalMs", pollIntervalMs);
  optional(requirePositive, "maxWriteAttempts", maxWriteAttempts);
  optional(requireFunction, "clock", clock);
  if (
    retention !== undefined && retention !== "creation" &&
    retention !== "completion"
  ) {
    throw new RangeError(
      `retention is ${quoted(retention)}: expected "creation" or "completion"`,
    );
  }
  if (encryption === undefined) return;
  requireNames("encryption", encryption, ["keys", "allowUnsealed"]);
  optional(
    requireBoolean,
    "encryption.allowUnsealed",
    encryption.allowUnsealed,
  );
}

/** Throws unless the value is a backend, as far as one can tell. */
export function requireBackend(backend: StorageBackend): void {
  const { get } = (backend ?? {}) as Partial<StorageBackend>;
  if (typeof get === "function") return;
  throw wrongKind("backend", backend, "a StorageBackend");
}

function requirePositive(name: string, value: number): void {
  requireInteger(name, value, 1);
}
