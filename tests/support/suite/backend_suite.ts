/**
 * The contract of a storage backend as one suite: what `src/storage/backend.ts`
 * promises, every backend passes. It runs on Deno and, through dnt, on Node.
 *
 * @module
 */

import { boundaryTests } from "./boundary.ts";
import { dataTests } from "./data.ts";
import { expiryTests } from "./expiry.ts";
import { type BackendUnderTest, contractTest } from "./env.ts";
import { listTests } from "./lists.ts";
import { ownerTests } from "./owners.ts";
import { pageTests } from "./pages.ts";
import { quotaTests } from "./quota.ts";
import { recordTests } from "./records.ts";
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
}
