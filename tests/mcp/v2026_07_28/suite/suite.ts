/**
 * What the Tasks extension promises, on two instances that share a store: what
 * one of them does, the other knows. It runs on memory and on Redis.
 *
 * @module
 */

import { inputTests } from "./input.ts";
import { listenTests } from "./listen.ts";
import { taskTests } from "./tasks.ts";
import type { ExtensionTest } from "./two.ts";

/** Every test of the suite. */
export const extensionTests: readonly ExtensionTest[] = [
  ...taskTests,
  ...inputTests,
  ...listenTests,
];
