/**
 * The contract of a storage backend as one suite: what `src/storage/backend.ts`
 * and its parts promise, every backend passes. It runs on Deno and, through
 * dnt, on Node.
 *
 * @module
 */

import { activeTests } from "./active.ts";
import { boundaryTests } from "./boundary.ts";
import { dataTests } from "./data.ts";
import { dueTests } from "./due.ts";
import { dueSubscriptionTests } from "./due_subscription.ts";
import { etagTests } from "./etags.ts";
import { expiryTests } from "./expiry.ts";
import { fencedWriteTests } from "./fenced_writes.ts";
import { leaseCreationTests } from "./lease_creation.ts";
import { leaseEndTests } from "./lease_end.ts";
import { leaseTests } from "./leases.ts";
import {
  type BackendUnderTest,
  contractTest,
  type OptionalPart,
} from "./env.ts";
import { listTests } from "./lists.ts";
import { operationIdTests } from "./operation_ids.ts";
import { ownerTests } from "./owners.ts";
import { pageTests } from "./pages.ts";
import { quotaTests } from "./quota.ts";
import { leasesReadOnceTests, readOnceTests } from "./read_once.ts";
import { recordTests } from "./records.ts";
import { stepTests } from "./steps.ts";
import { watchTests } from "./watch.ts";

/** Registers the whole suite for one backend. */
export function backendSuite(under: BackendUnderTest): void {
  const test = contractTest(under);
  recordTests(test);
  expiryTests(test, under.expiresByItself);
  listTests(test);
  pageTests(test);
  ownerTests(test);
  quotaTests(test);
  watchTests(test);
  boundaryTests(test);
  dataTests(test);
  etagTests(test);
  operationIdTests(test);
  activeTests(test);
  readOnceTests(test);
  const has = (part: OptionalPart) => !under.without?.includes(part);
  if (has("leases")) {
    leaseTests(test);
    leasesReadOnceTests(test);
    leaseCreationTests(test);
    leaseEndTests(test);
    fencedWriteTests(test);
  }
  if (has("leases") && has("steps")) stepTests(test);
  if (has("due")) {
    dueTests(test);
    dueSubscriptionTests(test);
  }
}
