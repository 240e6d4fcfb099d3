/**
 * The suite of the task domain: what a `TaskStore` promises, on any engine.
 * `task_memory_test.ts` and `task_redis_test.ts` run it.
 *
 * @module
 */

import { changeTests } from "./changes.ts";
import { codecTests } from "./codec.ts";
import { creationTests } from "./creation.ts";
import { expiryTests } from "./expiry.ts";
import { failureTests } from "./failures.ts";
import { forgeryTests } from "./forgeries.ts";
import { type EngineUnderTest, taskTest } from "./env.ts";
import { leaseTests } from "./leases.ts";
import { limitTests } from "./limits.ts";
import { listTests } from "./lists.ts";
import { lostWorkerTests } from "./lost_workers.ts";
import { ownerTests } from "./owners.ts";
import { propertyTests } from "./properties.ts";
import { raceTests } from "./races.ts";
import { sealingTests } from "./sealing.ts";
import { signalTests } from "./signals.ts";
import { transitionTests } from "./transitions.ts";
import { waitingTests } from "./waiting.ts";

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
  forgeryTests(test);
  propertyTests(test);
}
