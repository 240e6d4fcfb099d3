/** The errors about limits and quotas. */

import { TaskError } from "./errors.ts";

/** JSON-RPC: the request named something that is not so. */
const INVALID_PARAMS = -32602;
/** JSON-RPC: the server could not. */
const INTERNAL_ERROR = -32603;

/** A quota is used up: too many live or active tasks, or a record too large. */
export class ResourceExhaustedError extends TaskError {
  /** A remedy the caller has. */
  readonly suggestedAction: string;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param problem What is used up.
   * @param suggestedAction What the caller can do about it.
   * @param options `cause`: the error underneath.
   */
  constructor(
    problem: string,
    suggestedAction: string,
    options?: ErrorOptions,
  ) {
    super(INTERNAL_ERROR, `${problem}: ${suggestedAction}`, options);
    this.name = "ResourceExhaustedError";
    this.suggestedAction = suggestedAction;
  }
}

/** The request exceeds a limit of the store. */
export class TaskLimitError extends TaskError {
  /** The limit, as `TaskLimits` names it. */
  readonly limit: string;
  /** The most that is allowed, in the limit's unit. */
  readonly max: number;
  /** The size asked for, in the limit's unit. */
  readonly actual: number;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param limit Which limit, as `TaskLimits` names it.
   * @param max The most that is allowed.
   * @param actual What was asked.
   * @param what What exceeds it.
   */
  constructor(limit: string, max: number, actual: number, what: string) {
    super(
      INVALID_PARAMS,
      `${what} is ${actual}, over the limit ${limit} of ${max}`,
    );
    this.name = "TaskLimitError";
    this.limit = limit;
    this.max = max;
    this.actual = actual;
  }
}
