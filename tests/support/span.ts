/**
 * The spans of time by which Redis ages the trace of a record's writes.
 *
 * @module
 */

import type { RawClient } from "./redis_fixture.ts";
import { waitUntil } from "./wait.ts";

/** How long a span lasts, in seconds, as `src/redis/lua` has it. */
export const SPAN_SECONDS = 32;

/** What a test may take at the most, in seconds, once it is in mid-span. */
const TEST_SECONDS = 5;

/** Waits until no span ends for some seconds, so that a test sees only one. */
export async function midSpan(raw: RawClient): Promise<void> {
  await waitUntil("a span that has begun", async () => {
    const second = Number((await raw.time())[0]) % SPAN_SECONDS;
    return second < SPAN_SECONDS - TEST_SECONDS;
  });
}

/**
 * Makes all that is known of a record's writes older by some spans, as time
 * would: the ends of their spans are at the end of `ops`, and in front of `log`.
 */
export async function ageTrace(
  raw: RawClient,
  record: string,
  spans: number,
): Promise<void> {
  const older = (end: string) => `${Number(end) - spans * SPAN_SECONDS}`;
  const { ops, log } = await raw.hGetAll(record);
  const aged = ops!.replace(/\d{10}$/, older);
  await raw.hSet(record, "ops", aged);
  if (log !== undefined) {
    await raw.hSet(record, "log", log.replace(/^\d{10}/, older));
  }
}
