/**
 * The suite of the task domain: what a `TaskStore` promises, on any engine.
 * `task_memory_test.ts` and `task_redis_test.ts` run it.
 *
 * @module
 */

import { changeTests } from "./task/changes.ts";
import { codecTests } from "./task/codec.ts";
import { creationTests } from "./task/creation.ts";
import { expiryTests } from "./task/expiry.ts";
import { failureTests } from "./task/failures.ts";
import { type EngineUnderTest, taskTest } from "./task/harness.ts";
import { leaseTests } from "./task/leases.ts";
import { limitTests } from "./task/limits.ts";
import { listTests } from "./task/lists.ts";
import { lostWorkerTests } from "./task/lost_workers.ts";
import { ownerTests } from "./task/owners.ts";
import { propertyTests } from "./task/properties.ts";
import { raceTests } from "./task/races.ts";
import { sealingTests } from "./task/sealing.ts";
import { signalTests } from "./task/signals.ts";
import { transitionTests } from "./task/transitions.ts";
import { waitingTests } from "./task/waiting.ts";

/** Registers every test of the suite for one engine. */
export function taskContract(under: EngineUnderTest): void {
  const test = taskTest(under);
  creationTests(test);
  transitionTests(test);
  changeTests(test);
  ownerTests(test);
  limitTests(test);
  listTests(test);
  expiryTests(test);
  raceTests(test);
  leaseTests(test);
  lostWorkerTests(test);
  waitingTests(test);
  signalTests(test);
  codecTests(test);
  failureTests(test);
  sealingTests(test);
  propertyTests(test);
}
