/**
 * What `ExtTaskStore` promises, on two instances that share a storage: what one
 * of them does, the other knows. It runs on memory and on Redis.
 *
 * @module
 */

import type { StoreTest } from "./env.ts";
import { ownerTests } from "./owners.ts";
import { questionTests } from "./questions.ts";
import { taskTests } from "./tasks.ts";
import { workerTests } from "./workers.ts";

/** Every test of the suite. */
export const storeTests: readonly StoreTest[] = [
  ...taskTests,
  ...questionTests,
  ...ownerTests,
  ...workerTests,
];
