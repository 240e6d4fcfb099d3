/**
 * What a run of tests came to. `scripts/lib/deno_tests.ts` and
 * `scripts/lib/npm_tests.ts` count, `scripts/test.ts` adds up.
 *
 * @module
 */

/** The outcome of a run of tests. */
export interface Counts {
  /** Tests that passed. */
  readonly passed: number;
  /** Tests that failed, and anything else that went wrong instead of a test. */
  readonly failed: number;
  /** The names of tests that did not run. */
  readonly ignored: readonly string[];
}

/** A run of no tests. */
export const NOTHING: Counts = { passed: 0, failed: 0, ignored: [] };

/** Adds two runs up. */
export function add(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    ignored: [...a.ignored, ...b.ignored],
  };
}
