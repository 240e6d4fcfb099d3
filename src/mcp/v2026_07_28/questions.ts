/**
 * The questions a running handler asks its client: stored with the task, so
 * that any instance may take the answers, and withdrawn when they are given up.
 */

import { MAX_TIMER_MS } from "../../storage/checks.ts";
import { errorKind } from "../../task/error_kind.ts";
import { TaskTimeoutError } from "../../task/errors.ts";
import type { TaskUpdate } from "../../task/options.ts";
import type { TaskRecord } from "../../task/record.ts";
import { isFinalStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { sleep, watchWithRetry } from "../../task/watch_with_retry.ts";

/** The pause before a withdrawal that failed is tried again. */
const RETRY_MS = 1000;

/** Changes the task as its worker; `undefined` changes nothing. */
export type WorkerUpdate = (
  update: (latest: TaskRecord) => TaskUpdate | undefined,
) => Promise<void>;

/** The parts that questions need. */
export interface QuestionsOptions {
  readonly store: TaskStore;
  readonly taskId: string;
  readonly owner: string;
  /** Ends every question: the handler's own signal. */
  readonly signal: AbortSignal;
  readonly update: WorkerUpdate;
  readonly onError: (error: unknown) => void;
}

/** When a question is given up. */
export interface GiveUpOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** The questions of one handler. */
export class Questions {
  readonly #options: QuestionsOptions;
  /** The ends of the questions that wait, each called with a reason. */
  readonly #waiting = new Set<(reason: unknown) => void>();
  readonly #onAbort = () => this.#endAll(this.#options.signal.reason);
  readonly #usedKeys = new Set<string>();
  /** The next number of a name that was used. */
  readonly #numbers = new Map<string, number>();
  /** The keys whose answers no question needs any more. */
  readonly #done = new Set<string>();
  #over: { readonly reason: unknown } | undefined;

  constructor(options: QuestionsOptions) {
    this.#options = options;
    if (options.signal.aborted) this.#onAbort();
    else options.signal.addEventListener("abort", this.#onAbort);
  }

  /**
   * Asks, and waits for all the answers.
   *
   * @returns The answers, by the names they were asked under.
   */
  async ask(
    requests: Readonly<Record<string, unknown>>,
    { signal, timeoutMs }: GiveUpOptions,
  ): Promise<Record<string, unknown>> {
    if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
      throw new RangeError(
        `timeoutMs is ${timeoutMs}: expected milliseconds from 0`,
      );
    }
    signal?.throwIfAborted();
    if (this.#over) throw this.#over.reason;
    const keys = new Map(
      Object.keys(requests).map((name) => [name, this.#newKey(name)]),
    );
    const asked = Object.fromEntries(
      [...keys].map(([name, key]) => [key, requests[name]]),
    );
    const stop = new AbortController();
    const { taskId } = this.#options;
    let end!: (reason: unknown) => void;
    const ended = new Promise<never>((_, reject) => end = reject);
    const onAbort = () => end(signal!.reason);
    signal?.addEventListener("abort", onAbort);
    const timer = timeoutMs === undefined || timeoutMs > MAX_TIMER_MS
      ? undefined
      : setTimeout(
        () => end(new TaskTimeoutError(taskId, timeoutMs, "input_required")),
        timeoutMs,
      );
    this.#waiting.add(end);
    try {
      const answered = this.#answersTo(asked, stop.signal);
      // Where the question is given up, no one waits for it.
      answered.catch(() => {});
      const answers = await Promise.race([answered, ended]);
      return Object.fromEntries(
        [...keys].map(([name, key]) => [name, answers[key]]),
      );
    } catch (error) {
      for (const key of keys.values()) this.#done.add(key);
      // In its turn before whatever the handler writes next.
      this.#withdraw(Object.keys(asked), error);
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.#waiting.delete(end);
      for (const key of keys.values()) this.#done.add(key);
      stop.abort();
    }
  }

  /**
   * Returns what is left of the answers in a record: those that a question
   * waits for. `undefined` if all are needed.
   */
  answersNeeded(
    { inputResponses = {} }: TaskRecord,
  ): Readonly<Record<string, unknown>> | null | undefined {
    const all = Object.entries(inputResponses);
    const needed = all.filter(([key]) => !this.#done.has(key));
    if (needed.length === all.length) return undefined;
    return needed.length === 0 ? null : Object.fromEntries(needed);
  }

  /** Ends the questions that wait, for a handler that has returned. */
  end(): void {
    const { taskId, signal } = this.#options;
    signal.removeEventListener("abort", this.#onAbort);
    this.#endAll(
      new Error(`task ${taskId} ended before its input was given`),
    );
  }

  #endAll(reason: unknown): void {
    this.#over ??= { reason };
    for (const end of [...this.#waiting]) end(reason);
  }

  /** Stores the questions and waits, by event, until every one is answered. */
  async #answersTo(
    asked: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { store, taskId, owner, update, onError } = this.#options;
    const keys = Object.keys(asked);
    await update(({ task, inputRequests }) => ({
      ...(task.status === "working" ? { status: "input_required" } : {}),
      inputRequests: { ...inputRequests, ...asked },
    }));
    const versions = watchWithRetry(
      () => store.watch(taskId, owner, { signal }),
      { signal, onError },
    );
    for await (const { task, inputResponses = {} } of versions) {
      if (keys.every((key) => Object.hasOwn(inputResponses, key))) {
        return inputResponses;
      }
      if (isFinalStatus(task.status)) break;
    }
    throw new Error(`task ${taskId} ended before its input was given`);
  }

  /** Takes back questions that were given up; the task works on. */
  async #withdraw(keys: readonly string[], why: unknown): Promise<void> {
    if (this.#over || hasEnded(why)) return;
    const { update, onError, signal } = this.#options;
    while (true) {
      try {
        return await update((latest) => {
          const open = without(latest.inputRequests, keys);
          // The answers that have come meanwhile go with any update.
          if (open === undefined && this.answersNeeded(latest) === undefined) {
            return undefined;
          }
          const isLast = latest.task.status === "input_required" &&
            open !== undefined && Object.keys(open).length === 0;
          return {
            ...(isLast ? { status: "working" } : {}),
            ...(open === undefined ? {} : { inputRequests: open }),
          };
        });
      } catch (error) {
        if (hasEnded(error)) return;
        onError(error);
        if (errorKind(error) !== "transient") return;
        await sleep(RETRY_MS, signal);
        if (this.#over) return;
      }
    }
  }

  /** A key that was never used in this task, which this handler alone runs. */
  #newKey(name: string): string {
    let key = name;
    let number = this.#numbers.get(name) ?? 2;
    while (this.#usedKeys.has(key)) key = `${name}-${number++}`;
    this.#numbers.set(name, number);
    this.#usedKeys.add(key);
    return key;
  }
}

/** Returns the rest without some keys; `undefined` if none of them is there. */
function without(
  entries: Readonly<Record<string, unknown>> | undefined = {},
  keys: readonly string[],
): Readonly<Record<string, unknown>> | undefined {
  if (!keys.some((key) => Object.hasOwn(entries, key))) return undefined;
  return Object.fromEntries(
    Object.entries(entries).filter(([key]) => !keys.includes(key)),
  );
}

/** Whether the task has ended, so that it has no questions any more. */
function hasEnded(error: unknown): boolean {
  const kind = errorKind(error);
  return kind === "ended" || kind === "lease_lost" || kind === "gone" ||
    kind === "closed";
}
