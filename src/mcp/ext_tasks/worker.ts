/**
 * One task that is worked on in this process: the handle that all callers of
 * `ExtTaskStore.handle` share, with one lease and one watch.
 */

import { errorKind } from "../../task/error_kind.ts";
import {
  TaskCancelledError,
  TaskNotFoundError,
  type TaskStorageError,
} from "../../task/errors.ts";
import { LeaseLostError } from "../../task/lease_errors.ts";
import type { TaskUpdate } from "../../task/options.ts";
import type { JsonRpcError, TaskRecord } from "../../task/record.ts";
import { isFinalStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { sleep, watchWithRetry } from "../../task/watch_with_retry.ts";
import {
  INTERNAL_ERROR,
  isHidden,
  messageOf,
  protocolErrorOf,
  toClientError,
} from "../client_errors.ts";
import { handled } from "../handled.ts";
import { startLeaseRenewal } from "../v2026_07_28/lease_renewer.ts";
import { answersNeeded, answersTo, ask } from "./answers.ts";
import type {
  ExtInputRequests,
  ExtInputResponses,
  ExtTaskError,
  ExtTaskHandle,
} from "./types.ts";

/** The pause before a write that failed is made again. */
const REWRITE_MS = 250;

/** The parts of a worker. */
export interface WorkerOptions {
  readonly tasks: TaskStore;
  readonly taskId: string;
  readonly owner: string;
  /** The name of this process. */
  readonly holder: string;
  /** The time the task outlives this process, in milliseconds; `null`: no lease. */
  readonly leaseMs: number | null;
  readonly onError: (error: unknown) => void;
  /** Called once, when there is nothing left to do. */
  readonly onEnd: (worker: TaskWorker) => void;
}

/** A question that waits for its answers. */
interface Waiting {
  readonly keys: ReadonlyMap<string, string>;
  readonly resolve: (answers: ExtInputResponses) => void;
  readonly reject: (reason: unknown) => void;
}

/** The change of a write; `undefined`: nothing. */
type Change = (latest: TaskRecord) => TaskUpdate | undefined;

/** Works on one task. */
export class TaskWorker implements ExtTaskHandle {
  readonly taskId: string;
  readonly owner: string;
  readonly #options: WorkerOptions;
  readonly #controller = new AbortController();
  /** Ends the watch. */
  readonly #ending = new AbortController();
  readonly #waiting = new Set<Waiting>();
  /** Keys whose answers have been handed to who asked. */
  readonly #taken = new Set<string>();
  /** Settles when the lease has been asked for; it rejects if it is another's. */
  readonly #leased: Promise<void>;
  #fence: number | undefined;
  #stopRenewal: (() => void) | undefined;
  /** The latest version known here: to write on top of it saves a read. */
  #latest: TaskRecord | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.taskId = options.taskId;
    this.owner = options.owner;
    this.#leased = this.#takeLease();
    this.#leased.catch(() => {});
    this.#follow();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  status(message: string): Promise<void> {
    const writing = this.#write(() => ({ statusMessage: message }));
    return handled(this.#show(writing).then(() => {}));
  }

  requireInput(requests: ExtInputRequests): Promise<ExtInputResponses> {
    return handled(this.#ask(requests));
  }

  complete(result: Record<string, unknown>): Promise<void> {
    return handled(this.#show(this.#settle({
      status: "completed",
      result: result ?? { content: [] },
    })));
  }

  fail(error: ExtTaskError): Promise<void> {
    if (isHidden(error)) this.#options.onError(error);
    return handled(this.#show(this.#settle({
      status: "failed",
      error: jsonErrorOf(error),
    })));
  }

  async #ask(requests: ExtInputRequests): Promise<ExtInputResponses> {
    if (Object.keys(requests).length === 0) {
      throw new TypeError("requireInput() asks for nothing");
    }
    let keys: ReadonlyMap<string, string> | undefined;
    const asking = this.#write((latest) => {
      const question = ask(latest, requests);
      keys = question.keys;
      return question.update;
    });
    const isAsked = await this.#show(asking);
    return await new Promise<ExtInputResponses>((resolve, reject) => {
      if (!isAsked || this.#ending.signal.aborted) {
        return reject(this.#endReason());
      }
      this.#waiting.add({ keys: keys!, resolve, reject });
      // The answers may have come before the write was known to be made.
      this.#handOut();
    });
  }

  /**
   * Stops what goes on here for the task: nothing is renewed and watched any
   * more, and questions are given up.
   *
   * @param reason Aborts the signal; left out: the task has ended well.
   */
  end(reason?: unknown): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#stopRenewal?.();
    if (reason !== undefined) this.#controller.abort(reason);
    for (const { reject } of this.#waiting) reject(this.#endReason());
    this.#waiting.clear();
    this.#options.onEnd(this);
  }

  /** Notes that the task was cancelled through this very process. */
  cancelled(): void {
    this.end(new TaskCancelledError(this.taskId));
  }

  #endReason(): unknown {
    return this.signal.aborted
      ? this.signal.reason
      : new Error(`task ${this.taskId} is no longer running`);
  }

  /** Takes the lease, for as long as the storage takes, and keeps it. */
  async #takeLease(): Promise<void> {
    const { tasks, taskId, owner, holder, leaseMs, onError } = this.#options;
    if (leaseMs === null) return;
    const request = { holder, forMs: leaseMs };
    while (!this.#ending.signal.aborted) {
      const takenAt = performance.now();
      try {
        const record = await tasks.lease(taskId, owner, request);
        this.#learn(record);
        this.#fence = record.lease?.fence;
        if (this.#ending.signal.aborted) return;
        this.#stopRenewal = startLeaseRenewal({
          leaseMs,
          takenAt,
          renew: async () => void await tasks.renew(record, owner, request),
          onLost: (reason) => {
            onError(reason);
            this.end(reason);
          },
        });
        return;
      } catch (error) {
        switch (errorKind(error)) {
          case "transient":
            onError(error);
            await sleep(REWRITE_MS, this.#ending.signal);
            continue;
          case "ended": // The watch tells how.
          case "gone":
            return;
          default:
            onError(error);
            this.end(error);
            throw error;
        }
      }
    }
  }

  /** Follows the task to its end. */
  async #follow(): Promise<void> {
    const { tasks, taskId, owner, onError } = this.#options;
    const { signal } = this.#ending;
    const versions = watchWithRetry(
      () => tasks.watch(taskId, owner, { signal }),
      { signal, onError },
    );
    try {
      for await (const record of versions) {
        this.#learn(record);
        this.#handOut();
        if (isFinalStatus(record.task.status)) {
          return this.end(abortReason(record));
        }
      }
      this.end(new TaskNotFoundError(taskId));
    } catch (error) {
      if (!signal.aborted && errorKind(error) !== "gone") onError(error);
      this.end(error);
    }
  }

  /** Throws what a client may see: a tool that waits for a write shows it. */
  async #show<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const shown = toClientError(error);
      if (shown !== error) this.#options.onError(error);
      throw shown;
    }
  }

  #learn(record: TaskRecord): void {
    if (record.version > (this.#latest?.version ?? 0)) this.#latest = record;
  }

  /** Hands answers to those who wait for them. */
  #handOut(): void {
    if (this.#latest === undefined) return;
    for (const waiting of this.#waiting) {
      const answers = answersTo(this.#latest, waiting.keys);
      if (answers === undefined) continue;
      this.#waiting.delete(waiting);
      for (const key of waiting.keys.values()) this.#taken.add(key);
      waiting.resolve(answers);
    }
  }

  /**
   * Changes the task.
   *
   * @returns Whether it was changed: a task that has ended or is gone, or whose
   * lease is lost, is left as it is.
   */
  async #write(change: Change): Promise<boolean> {
    await this.#leased;
    const { tasks, taskId, owner, onError } = this.#options;
    let isOver = false;
    try {
      const written = await tasks.modify(
        this.#latest ?? taskId,
        owner,
        (latest) => {
          isOver = isFinalStatus(latest.task.status);
          const update = isOver ? undefined : change(latest);
          // An answer may be a secret: it is kept until the first write after.
          const inputResponses = answersNeeded(latest, this.#taken);
          return update && { inputResponses, ...update, fence: this.#fence };
        },
      );
      this.#learn(written);
    } catch (error) {
      switch (errorKind(error)) {
        case "stored": // though too few replicas have it
          onError(error);
          this.#learn((error as TaskStorageError).record!);
          return true;
        case "lease_lost":
          onError(error);
          this.end(error);
          return false;
        case "gone":
          this.end(error);
          return false;
        case "ended": // The watch tells how.
          return false;
        default:
          throw error;
      }
    }
    return !isOver;
  }

  /** Writes the end of the task, for as long as the lease allows it. */
  async #settle(end: TaskUpdate): Promise<void> {
    let update = end;
    while (true) {
      try {
        if (await this.#write(() => update)) this.end();
        return;
      } catch (error) {
        const kind = errorKind(error);
        if (kind === "transient" && !this.signal.aborted) {
          this.#options.onError(error);
          await sleep(REWRITE_MS, this.signal);
          continue;
        }
        if (kind !== "other" || update !== end) throw error;
        // It cannot be stored, being too large or no JSON: that is an end, too.
        this.#options.onError(error);
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

/** An `Error` as data, whose message JSON would leave out; others as they are. */
function jsonErrorOf(error: ExtTaskError): JsonRpcError {
  if (!(error instanceof Error)) return error;
  return protocolErrorOf(error) ??
    { code: INTERNAL_ERROR, message: messageOf(error) };
}

/** Why work on a task is to stop; `undefined` if it has ended well. */
function abortReason({ task, lostLease }: TaskRecord): unknown {
  if (task.status === "cancelled") {
    return new TaskCancelledError(task.taskId, task.statusMessage);
  }
  return lostLease && new LeaseLostError(task.taskId, task.status, lostLease);
}
