/** The errors about leases. */

import { InvalidTransitionError, TaskError } from "./errors.ts";
import { idText, quoted } from "./quoted.ts";
import type { TaskStatus } from "./status.ts";

/** JSON-RPC: the server could not. */
const INTERNAL_ERROR = -32603;

/** The facts known of a lease that was lost. */
export interface LeaseLoss {
  /** The name of the worker, where it is known. */
  readonly holder?: string | undefined;
  /** When the task was failed for it, RFC 3339; left out: it has not failed. */
  readonly lostAt?: string | undefined;
  /** The state the task is in. Default: `"failed"`. */
  readonly from?: TaskStatus | undefined;
}

/**
 * The lease of a worker has ended, and what it writes late is refused. A lease
 * that ran out has failed the task, once and for every instance.
 */
export class LeaseLostError extends InvalidTransitionError {
  /** The name of the worker, where it is known. */
  readonly holder: string | undefined;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The id of the task.
   * @param to The state asked for.
   * @param loss What is known of it.
   */
  constructor(
    taskId: string,
    to: TaskStatus,
    { holder, lostAt, from = "failed" }: LeaseLoss,
  ) {
    const whose = holder === undefined
      ? "the lease of this write"
      : `the lease of ${quoted(holder)}`;
    super(
      taskId,
      from,
      to,
      lostAt === undefined
        ? `${whose} on task ${idText(taskId)} has ended: this write is refused`
        : `${whose} on task ${
          idText(taskId)
        } has run out: the task failed at ${lostAt}, and this write is refused`,
    );
    this.name = "LeaseLostError";
    this.holder = holder;
  }
}

/** Another worker holds the task. */
export class LeaseHeldError extends TaskError {
  /** The id of the task. */
  readonly taskId: string;
  /** The name of the holder; `undefined` where a lease was to be renewed and there is none. */
  readonly holder: string | undefined;

  /**
   * Creates the error; a `TaskStore` throws it.
   *
   * @param taskId The id of the task.
   * @param holder Who holds it.
   */
  constructor(taskId: string, holder: string | undefined) {
    super(
      INTERNAL_ERROR,
      holder === undefined
        ? `task ${idText(taskId)} has no lease to renew`
        : `task ${idText(taskId)} is held by ${quoted(holder)}`,
    );
    this.name = "LeaseHeldError";
    this.taskId = taskId;
    this.holder = holder;
  }
}
