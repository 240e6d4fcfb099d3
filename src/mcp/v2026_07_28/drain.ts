/** The options and the answer of `TasksExtension.drain`. */

/** Options of `TasksExtension.drain`. */
export interface DrainOptions {
  /**
   * The longest time draining may take, in milliseconds. Its last tenth, at most 1,000
   * of it, is kept for failing tasks that have not finished. Default: 10,000.
   */
  readonly timeoutMs?: number | undefined;
}

/** The fate of the tasks that ran when `TasksExtension.drain` was called. */
export interface DrainResult {
  /** The ids of the tasks that came to their own end. */
  readonly finished: readonly string[];
  /** The ids of the tasks that did not, and were failed. */
  readonly failed: readonly string[];
  /**
   * The ids of the tasks that did not, and that could not be failed in time:
   * the end of their leases fails them. Left out where there are none.
   */
  readonly unsaved?: readonly string[];
}
