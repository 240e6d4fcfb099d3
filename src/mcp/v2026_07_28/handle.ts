/**
 * The handle of a task tool's handler: the ways to speak to the client of a task
 * that may look from any instance.
 *
 * @module
 */

import { TaskStorageError } from "../../task/errors.ts";
import type { TaskRecord } from "../../task/record.ts";
import type { TaskUpdate } from "../../task/options.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { missingCapability } from "../client_errors.ts";
import { handled } from "../handled.ts";
import { Questions } from "./questions.ts";
import { asObject } from "./wire.ts";

/** A request to the client, as MCP defines it. */
export interface InputRequest {
  /** The kind of the request. */
  readonly method:
    | "elicitation/create"
    | "sampling/createMessage"
    | "roots/list";
  /** The request's own parameters. */
  readonly params?: Readonly<Record<string, unknown>>;
}

/** The client's answer, as it came: check it like any input. */
export type InputResponse = Readonly<Record<string, unknown>>;

/** When a question to the client is given up. */
export interface RequestInputOptions {
  /** Gives the question up: it throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The most time to wait for the answers, in milliseconds. Default: no bound
   * but the task's own end.
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * The second argument of a task tool's handler, besides the tool's arguments. A
 * promise of its methods need not be awaited: a rejection then ends no process.
 *
 * @example Ask before deleting
 * ```ts
 * import type { TaskHandle } from "@mcp-tasks/redis";
 *
 * async function clean(task: TaskHandle): Promise<string> {
 *   await task.setStatus("waiting for your word");
 *   const { sure } = await task.requestInput({
 *     sure: {
 *       method: "elicitation/create",
 *       params: {
 *         message: "Delete 3 files?",
 *         requestedSchema: { type: "object", properties: {} },
 *       },
 *     },
 *   });
 *   task.signal.throwIfAborted();
 *   return sure.action === "accept" ? "deleted" : "kept";
 * }
 * ```
 */
export interface TaskHandle {
  /**
   * The id of the task; `undefined` where a tool with `task: "optional"` runs
   * within the request, for a client that does not know tasks.
   */
  readonly taskId: string | undefined;
  /**
   * Aborts when the result is no longer wanted or can no longer be stored: the
   * task was cancelled on any instance, is gone, has lost its lease, or the
   * server shuts down. Its reason is the error that says so.
   */
  readonly signal: AbortSignal;
  /**
   * Asks the client and waits for all the answers, which may arrive on any
   * instance. The names are the caller's; on the wire, a name used before gets
   * a number, since a key is never used twice in the life of a task. Several
   * calls may wait at once.
   *
   * A question that is given up, by `options.signal` or `options.timeoutMs`, is
   * withdrawn: clients no longer see it, a late answer is ignored, and the task
   * works on. To lose a race alone, as in `Promise.race`, gives nothing up. An
   * answer is stored until the next write after all are here.
   *
   * @returns The answers, by the same names.
   * @throws The reason of the handle's `signal` or of the one given, if that
   * aborts first.
   * @throws {TaskTimeoutError} After `timeoutMs`.
   * @throws An error with code -32021 if the client cannot answer such
   * requests, or does not know tasks.
   */
  requestInput<Requests extends Readonly<Record<string, InputRequest>>>(
    requests: Requests,
    options?: RequestInputOptions,
  ): Promise<{ readonly [Name in keyof Requests]: InputResponse }>;
  /**
   * Says what the task is doing, for a person to read. Without a task, it does
   * nothing.
   *
   * @throws {InvalidTransitionError} If the task has ended.
   */
  setStatus(message: string): Promise<void>;
  /**
   * Merges variables into the task's record; `null` deletes a name. Without a
   * task, it does nothing.
   *
   * @throws {InvalidTransitionError} If the task has ended.
   * @throws {TaskLimitError} If they are over a limit of the store.
   */
  setVariables(variables: Readonly<Record<string, unknown>>): Promise<void>;
}

/** Which capability of the client a request to it needs. */
const NEEDED: Record<InputRequest["method"], string> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots",
};

/** The handle of a task. */
export class StoredTaskHandle implements TaskHandle {
  readonly taskId: string;
  readonly signal: AbortSignal;
  readonly #store: TaskStore;
  readonly #owner: string;
  readonly #capabilities: Readonly<Record<string, unknown>>;
  readonly #questions: Questions;
  /** The lease the handler works under: with its end, every write is refused. */
  readonly #fence: number | undefined;
  /** The record last written: to write on top of it saves a read. */
  #record: TaskRecord;

  constructor(options: {
    store: TaskStore;
    record: TaskRecord;
    signal: AbortSignal;
    capabilities: Readonly<Record<string, unknown>>;
    onError: (error: unknown) => void;
  }) {
    this.#store = options.store;
    this.#record = options.record;
    this.#owner = options.record.ownerId;
    this.#fence = options.record.lease?.fence;
    this.#capabilities = options.capabilities;
    this.taskId = options.record.task.taskId;
    this.signal = options.signal;
    this.#questions = new Questions({
      store: options.store,
      taskId: this.taskId,
      owner: this.#owner,
      signal: options.signal,
      update: (update) => this.update(update),
      onError: options.onError,
    });
  }

  /**
   * Changes the task, as its worker.
   *
   * @throws {LeaseLostError} If the lease has ended.
   */
  async update(
    update: TaskUpdate | ((latest: TaskRecord) => TaskUpdate | undefined),
  ): Promise<void> {
    const fence = this.#fence;
    try {
      this.#learn(
        await this.#store.modify(this.#record, this.#owner, (latest) => {
          const wanted = typeof update === "function" ? update(latest) : update;
          if (wanted === undefined) return undefined;
          const inputResponses = this.#questions.answersNeeded(latest);
          return { inputResponses, ...wanted, fence };
        }),
      );
    } catch (error) {
      // Stored, though too few replicas have it: what follows is on top of it.
      if (error instanceof TaskStorageError && error.record) {
        this.#learn(error.record);
      }
      throw error;
    }
  }

  #learn(written: TaskRecord): void {
    if (written.version > this.#record.version) this.#record = written;
  }

  setStatus(message: string): Promise<void> {
    return handled(this.update({ statusMessage: message }));
  }

  setVariables(variables: Readonly<Record<string, unknown>>): Promise<void> {
    return handled(this.update({ variables }));
  }

  requestInput<Requests extends Readonly<Record<string, InputRequest>>>(
    requests: Requests,
    options: RequestInputOptions = {},
  ): Promise<{ readonly [Name in keyof Requests]: InputResponse }> {
    return handled(this.#ask(requests, options)) as Promise<
      { readonly [Name in keyof Requests]: InputResponse }
    >;
  }

  /** Ends the questions that wait, once the handler has returned. */
  endQuestions(): void {
    this.#questions.end();
  }

  async #ask(
    requests: Readonly<Record<string, InputRequest>>,
    options: RequestInputOptions,
  ): Promise<unknown> {
    this.signal.throwIfAborted();
    this.#requireCapabilities(requests);
    return await this.#questions.ask(requests, options);
  }

  #requireCapabilities(
    requests: Readonly<Record<string, InputRequest>>,
  ): void {
    const all = Object.values(requests);
    if (all.length === 0) {
      throw new TypeError("requestInput() asks for nothing");
    }
    for (const { method } of all) {
      const needed = NEEDED[method];
      if (needed === undefined) {
        throw new TypeError(
          `requestInput() with method ${JSON.stringify(method)}: expected ${
            Object.keys(NEEDED).join(", ")
          }`,
        );
      }
      if (asObject(this.#capabilities[needed]) === undefined) {
        throw missingCapability(needed, { [needed]: {} });
      }
    }
  }
}
