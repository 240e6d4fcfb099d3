/**
 * What the benchmark can time: an operation of ours, of a floor or of the
 * original's access pattern. `floors.ts`, `backend_operations.ts` and
 * `task_operations.ts` make them; `rounds.ts` and `counts.ts` run them.
 *
 * @module
 */

/** One call of an operation; `i` counts from 0 within a round. */
export type Call = (i: number) => Promise<unknown>;

/** An operation that can be repeated. */
export interface Operation {
  /** Its name in every table and in the baseline. */
  readonly name: string;
  /** Makes ready for `calls` calls; what it does is not timed. */
  prepare(calls: number): Promise<Call>;
  /** Calls in flight at once. Default: the `inflight` of the run. */
  readonly inflight?: number;
  /** Divides the calls of a round, for an operation that takes long. */
  readonly slower?: number;
}
