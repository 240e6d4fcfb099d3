/**
 * Whether the tests that start a second Deno process run: it must be allowed
 * to be run and killed, whatever its path. Asked in the form that never
 * prompts, as `tests/support/gate.ts` does.
 *
 * @module
 */

import { ownServerEnabled } from "../support/gate.ts";

/** Whether a worker of our own may be started. */
export const workerEnabled: boolean = ownServerEnabled &&
  Deno.permissions.querySync({ name: "run" }).state === "granted";
