/**
 * Calling what a host has handed over: a listener that throws or rejects stops
 * no other listener, no connection and no process.
 *
 * @module
 */

import { callHost } from "../util/call_host.ts";

/**
 * Called with a sentence that an operator should read, without keys, owners or
 * passwords; and with what was thrown, where a listener of the host has thrown.
 */
export type WarningListener = (message: string, cause?: unknown) => void;

const warned = new Set<string>();

/** The default: a library that is silent about trouble hides it. */
function warnOnce(message: string): void {
  if (warned.has(message)) return;
  warned.add(message);
  console.warn(`mcp-tasks-redis: ${message}`);
}

/**
 * The listener for warnings, made safe to call anywhere.
 *
 * @throws {TypeError} If it is no function.
 */
export function checkOnWarning(
  onWarning: WarningListener = warnOnce,
): WarningListener {
  requireFunction("onWarning", onWarning);
  return (...warning) => callHost(() => onWarning(...warning), () => {});
}

/**
 * A listener, made safe to call from the loop that serves all others. What it
 * throws, or rejects with, is a warning.
 *
 * @param name Where it was given, for messages.
 * @throws {TypeError} If it is no function.
 */
export function checkListener(
  name: string,
  listener: () => unknown,
  onWarning: WarningListener,
): () => void {
  requireFunction("listener", listener);
  return () =>
    callHost(listener, (error) => {
      // Its own message may hold keys, and would make every sentence another.
      onWarning(
        `a listener of ${name} has thrown, or returned a promise that rejected: the others were called all the same`,
        error,
      );
    });
}

function requireFunction(name: string, value: unknown): void {
  if (typeof value === "function") return;
  throw new TypeError(
    `${name} is ${
      value === null ? "null" : `a ${typeof value}`
    }: expected a function`,
  );
}
