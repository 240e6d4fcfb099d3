/**
 * The contract of a storage backend as one suite: what `src/backend.ts`
 * promises, every backend passes. It runs on Deno and, through dnt, on Node.
 *
 * @module
 */

import { boundaryTests } from "./contract/boundary.ts";
import { dataTests } from "./contract/data.ts";
import { expiryTests } from "./contract/expiry.ts";
import { type BackendUnderTest, contractTest } from "./contract/harness.ts";
import { listTests } from "./contract/lists.ts";
import { ownerTests } from "./contract/owners.ts";
import { pageTests } from "./contract/pages.ts";
import { quotaTests } from "./contract/quota.ts";
import { recordTests } from "./contract/records.ts";
import { watchTests } from "./contract/watch.ts";

/** Registers the whole suite for one backend. */
export function backendContract(under: BackendUnderTest): void {
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
