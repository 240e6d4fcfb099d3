/**
 * Runs the handlers of tasks in this process: under a lease, so that a task
 * never outlives its worker unnoticed, and until the task has its outcome.
 */

import { errorKind } from "../../task/error_kind.ts";
import { TaskStorageError } from "../../task/errors.ts";
import type { TaskRecord } from "../../task/record.ts";
import { deadline } from "../../util/deadline.ts";
import { sleep } from "../../task/watch_with_retry.ts";
import type { LeaseOptions, TaskUpdate } from "../../task/options.ts";
import type { TaskStore } from "../../task/task_store.ts";
import {
  INTERNAL_ERROR,
  isHidden,
  messageOf,
  RpcError,
} from "../client_errors.ts";
import type { DrainOptions, DrainResult } from "./drain.ts";
import { StoredTaskHandle, type TaskHandle } from "./handle.ts";
import { startLeaseRenewal } from "./lease_renewer.ts";
import { outcomeOf, outcomeOfThrown } from "./outcome.ts";
import type { SchemaLike } from "./sdk.ts";

/** The pause before an outcome is written again. */
const REWRITE_MS = 250;

/** The most time that draining keeps for failing tasks, in milliseconds. */
const MAX_FAILING_MS = 1000;

/** The time beyond that the last writes may take, in milliseconds. */
const GRACE_MS = 30;

/** One task to run. */
export interface Job {
  /** The tool's name. */
  readonly tool: string;
  /** The capabilities of the request's client. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** The schema of the result. */
  readonly outputSchema: SchemaLike | undefined;
  /** Makes the task, as `working` and under a lease. */
  readonly create: (lease: LeaseOptions) => Promise<TaskRecord>;
  /** Resolves once the answer that hands the task out is on its way. */
  readonly answered: () => Promise<void>;
  /** The tool's handler, with its arguments. */
  readonly handler: (handle: TaskHandle) => unknown;
}

/** A task that runs here. */
interface RunningTask {
  readonly tool: string;
  readonly taskId: string;
  readonly owner: string;
  /** The lease it runs under. */
  readonly fence: number | undefined;
  /** Settles when the outcome is written, or can no longer be. */
  readonly ended: Promise<void>;
  /** Tells the handler that its result is no longer wanted. */
  stop(reason: unknown): void;
}

/** The fate of a task in a drain. */
type Outcome = keyof DrainResult;

/** The parts of a runner. */
export interface RunnerOptions {
  readonly store: TaskStore;
  readonly holder: string;
  readonly leaseMs: number;
  readonly onError: (error: unknown) => void;
}

/** Runs tasks. */
export class TaskRunner {
  readonly #options: RunnerOptions;
  readonly #running = new Set<RunningTask>();
  readonly #starting = new Set<Promise<TaskRecord>>();
  #draining = false;
  /** Whether draining is over: what begins to run now is failed. */
  #timeIsUp = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /**
   * Makes a task and begins to run it.
   *
   * @returns The task, stored and under its lease.
   * @throws {RpcError} After `drain`.
   */
  async start(job: Job): Promise<TaskRecord> {
    if (this.#draining) {
      throw new RpcError(
        INTERNAL_ERROR,
        "the server is shutting down: call the tool again",
      );
    }
    const starting = this.#start(job);
    this.#starting.add(starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  /** Lets what runs finish, and fails what has not in time. */
  async drain({ timeoutMs = 10_000 }: DrainOptions): Promise<DrainResult> {
    this.#draining = true;
    const failingMs = Math.min(timeoutMs / 10, MAX_FAILING_MS);
    const tasks = new Set(this.#running);
    const ended = async () => {
      await Promise.allSettled(this.#starting);
      for (const task of this.#running) tasks.add(task);
      await Promise.all([...tasks].map(({ ended }) => ended));
    };
    await deadline(ended(), timeoutMs - failingMs).catch(() => {});
    this.#timeIsUp = true;
    const outcomes = new Map<RunningTask, Outcome>();
    for (const task of tasks) outcomes.set(task, "finished");
    const late = [...tasks].filter((task) => this.#running.has(task));
    for (const task of late) outcomes.set(task, "unsaved");
    const failing = Promise.all(late.map(async (task) => {
      outcomes.set(task, await this.#interrupt(task));
    }));
    await deadline(failing, failingMs + GRACE_MS).catch(() => {});
    const idsOf = (wanted: Outcome) =>
      [...tasks].filter((task) => outcomes.get(task) === wanted)
        .map(({ taskId }) => taskId);
    const unsaved = idsOf("unsaved");
    // A handler must not run on because nothing can be stored.
    for (const task of late) task.stop(interruption(task));
    return {
      finished: idsOf("finished"),
      failed: idsOf("failed"),
      ...(unsaved.length > 0 ? { unsaved } : {}),
    };
  }

  async #start(job: Job): Promise<TaskRecord> {
    const { holder, leaseMs } = this.#options;
    const leasedAt = performance.now();
    // In one write: no death of this process leaves a task without a worker
    // that would never be failed.
    const record = await this.#create(job, { holder, forMs: leaseMs });
    const { ownerId, task: { taskId } } = record;
    const controller = new AbortController();
    const running: RunningTask = {
      tool: job.tool,
      taskId,
      owner: ownerId,
      fence: record.lease?.fence,
      ended: this.#run(record, job, controller, leasedAt).finally(() => {
        this.#running.delete(running);
      }),
      stop: (reason) => controller.abort(reason),
    };
    this.#running.add(running);
    if (this.#timeIsUp) this.#interrupt(running);
    return record;
  }

  /** Makes a task; one that is stored runs, whatever else was asked for. */
  async #create(job: Job, lease: LeaseOptions): Promise<TaskRecord> {
    try {
      return await job.create(lease);
    } catch (error) {
      if (!(error instanceof TaskStorageError && error.record)) throw error;
      this.#options.onError(error);
      return error.record;
    }
  }

  /** Fails a task, by name. */
  async #interrupt(task: RunningTask): Promise<Outcome> {
    const error = interruption(task);
    try {
      // Stored before the handler is told: what it makes of that is late.
      await this.#options.store.update(task.taskId, task.owner, {
        status: "failed",
        statusMessage: error.message,
        error: { code: error.code, message: error.message },
        fence: task.fence,
      });
      return "failed";
    } catch (thrown) {
      if (hasEnded(thrown)) return "finished";
      // Not stored; the lease will run out and fail the task.
      this.#options.onError(thrown);
      return "unsaved";
    } finally {
      task.stop(error);
    }
  }

  async #run(
    record: TaskRecord,
    job: Job,
    controller: AbortController,
    leasedAt: number,
  ): Promise<void> {
    const { store, holder, leaseMs, onError } = this.#options;
    const { ownerId, task: { taskId } } = record;
    const ended = store.signalFor(taskId, ownerId);
    const forward = () => controller.abort(ended.reason);
    ended.addEventListener("abort", forward);
    const handle = new StoredTaskHandle({
      store,
      record,
      signal: controller.signal,
      capabilities: job.capabilities,
      onError,
    });
    let lost = false;
    const stopKeeping = startLeaseRenewal({
      leaseMs,
      takenAt: leasedAt,
      renew: async () => {
        await store.renew(record, ownerId, { holder, forMs: leaseMs });
      },
      onLost: (reason) => {
        lost = true;
        onError(reason);
        controller.abort(reason);
      },
    });
    try {
      // A handler may compute for long before it waits for anything.
      await job.answered();
      // Its result is not wanted any more, or could not be stored.
      if (controller.signal.aborted) return;
      const outcome = await this.#perform(handle, job);
      await this.#settle(handle, outcome, () => lost);
    } catch (error) {
      onError(error);
    } finally {
      stopKeeping();
      ended.removeEventListener("abort", forward);
    }
  }

  async #perform(
    handle: StoredTaskHandle,
    job: Job,
  ): Promise<TaskUpdate> {
    try {
      const returned = await job.handler(handle);
      return await outcomeOf(job.tool, returned, job.outputSchema);
    } catch (thrown) {
      if (isHidden(thrown)) this.#options.onError(thrown);
      return outcomeOfThrown(thrown);
    } finally {
      handle.endQuestions();
    }
  }

  /** Writes the outcome, for as long as the lease allows it. */
  async #settle(
    handle: StoredTaskHandle,
    outcome: TaskUpdate,
    isLost: () => boolean,
  ): Promise<void> {
    const { onError } = this.#options;
    let update = outcome;
    while (true) {
      try {
        await handle.update(update);
        return;
      } catch (error) {
        const kind = errorKind(error);
        if (kind === "lease_lost") onError(error);
        if (hasEnded(error) || isLost()) return;
        onError(error);
        if (kind === "stored") return;
        if (kind === "transient") {
          await sleep(REWRITE_MS);
          continue;
        }
        // It cannot be stored, being too large or no JSON: that is an outcome.
        if (update !== outcome) return;
        const message = messageOf(error);
        update = {
          status: "failed",
          statusMessage: message,
          error: { code: INTERNAL_ERROR, message },
        };
      }
    }
  }
}

/** Whether a write came too late: the task has another end, or is no more. */
function hasEnded(error: unknown): boolean {
  const kind = errorKind(error);
  return kind === "ended" || kind === "lease_lost" || kind === "gone";
}

function interruption({ tool, taskId }: RunningTask): RpcError {
  const name = JSON.stringify(tool);
  return new RpcError(
    INTERNAL_ERROR,
    `interrupted: the server shut down before ${name} had finished task ${taskId}`,
  );
}
