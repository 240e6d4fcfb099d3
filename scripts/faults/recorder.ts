/**
 * The recorder: one list of all calls of a run, in one order of starts and
 * ends, and what an answer or an error becomes in it.
 */

import {
  BackendError,
  CapacityExceededError,
  FencedError,
  LeaseConflictError,
  NotFoundError,
  VersionConflictError,
} from "../../src/storage/errors.ts";
import { QueueFullError } from "../../src/storage/message_queue.ts";
import { TaskError } from "../../src/task/errors.ts";
import type { Answer, Call } from "./calls.ts";

/** What of a call is known before it starts. */
export type Asked = Omit<
  Call,
  "index" | "start" | "end" | "startMs" | "endMs" | "answer"
>;

/** See the module. */
export class Recorder {
  readonly calls: Call[] = [];
  /** Calls that have ended, by what they were answered. */
  readonly answers = new Map<string, number>();
  /** The most seldom used part of an id: one run's own. */
  readonly #run: string;
  #ticks = 0;
  #names = 0;

  constructor() {
    this.#run = randomWord(4);
  }

  /** A name that no other write of any run has, 11 characters. */
  newName(): string {
    return this.#run + (this.#names++).toString(36).padStart(7, "0");
  }

  /** Runs a call and records it; throws what it throws. */
  async run<T>(
    asked: Asked,
    body: (call: Call) => Promise<T>,
    answerOf: (value: T) => Answer,
  ): Promise<T> {
    const call: Call = {
      ...asked,
      index: this.calls.length,
      start: this.#ticks++,
      end: Infinity,
      startMs: Date.now(),
      endMs: Infinity,
      answer: undefined,
    };
    this.calls.push(call);
    try {
      const value = await body(call);
      this.#end(call, answerOf(value));
      return value;
    } catch (error) {
      this.#end(call, answerOfError(error));
      throw error;
    }
  }

  #end(call: Call, answer: Answer): void {
    call.end = this.#ticks++;
    call.endMs = Date.now();
    call.answer = answer;
    const what = answer.is === "failed" ? answer.outcome : answer.is;
    this.answers.set(what, (this.answers.get(what) ?? 0) + 1);
  }
}

/** The name a text says it was written under: `…~name~…`. */
export function tokenOf(data: string): string {
  const from = data.indexOf("~");
  const to = data.indexOf("~", from + 1);
  return from < 0 || to < 0 ? "" : data.slice(from + 1, to);
}

function answerOfError(error: unknown): Answer {
  if (error instanceof NotFoundError) return { is: "absent" };
  if (error instanceof VersionConflictError) {
    return { is: "conflict", actual: error.actual };
  }
  if (error instanceof CapacityExceededError) {
    return { is: "capacity", unit: error.unit, actual: error.actual };
  }
  if (error instanceof QueueFullError) return { is: "queue full" };
  if (error instanceof LeaseConflictError) {
    return { is: "leased", holder: error.holder };
  }
  if (error instanceof FencedError) return { is: "fenced" };
  if (error instanceof BackendError) {
    const { outcome, version, message, cause } = error;
    return {
      is: "failed",
      outcome,
      version,
      message: cause instanceof Error ? `${message} (${cause})` : message,
    };
  }
  if (error instanceof TaskError) {
    return error.cause instanceof BackendError
      ? answerOfError(error.cause)
      : { is: "refused", message: `${error.name}: ${error.message}` };
  }
  return { is: "broken", message: String(error) };
}

function randomWord(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}
