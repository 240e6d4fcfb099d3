/**
 * Rejections that no one handles, which end a process of Deno and of Node.
 *
 * @module
 */

import { pause } from "../support/wait.ts";

/** Returns the reasons of all promises that are rejected and let go meanwhile. */
export async function unhandledDuring(
  body: () => Promise<void>,
): Promise<unknown[]> {
  const reasons: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    reasons.push(event.reason);
  };
  addEventListener("unhandledrejection", note);
  try {
    await body();
    // The event comes after the turn in which a promise was rejected.
    await pause(0);
  } finally {
    removeEventListener("unhandledrejection", note);
  }
  return reasons;
}
