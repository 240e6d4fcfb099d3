/**
 * Runs commands and scripts on Redis: bounded in time, tried again where that
 * is safe, with a true answer to what a lost connection leaves open.
 */

import type { BackendError } from "../../storage/errors.ts";
import type { RedisLink } from "../link_types.ts";
import { LUA_CLOCK } from "../lua/clock.ts";
import { REPLY } from "../lua/reply.ts";
import type { DurableAnswer, DurableWriter } from "./durability.ts";
import {
  beginCommand,
  KnownScripts,
  type ScriptState,
} from "./known_scripts.ts";
import { Operation, Try } from "./operation.ts";
import { PausedOperations } from "./paused_operations.ts";
import {
  classify,
  clientClosedError,
  lateError,
  refusedError,
  type Rejection,
  timeoutError,
  unconfirmedError,
  undecidedError,
} from "./reply_errors.ts";
import type { DurabilityOptions } from "./retry.ts";
import { type Attempt, type ScriptCall, UNDECIDED } from "./script_call.ts";
import { ServerClock } from "./server_clock.ts";
import { TimeLimits } from "./time_limits.ts";

/** The time the server's clock is relied on, in milliseconds. */
const CLOCK_MS = 300_000;

/** The longest time closing waits for answers, in milliseconds. */
const CLOSE_MS = 2000;

/**
 * The most tries of one operation that may come too late by our own clock's
 * fault.
 */
const MAX_LATE = 3;

/** Options of a {@linkcode ScriptExecutor}. */
export interface ExecutorOptions {
  /** The most time of one operation, in milliseconds. */
  readonly timeoutMs: number;
  /** Writes durably, if that is asked for. */
  readonly durable?: DurabilityOptions & { readonly writer: DurableWriter };
}

/** Runs calls on one link. */
export class ScriptExecutor {
  /** The server's time, as far as it is known. */
  readonly clock: ServerClock = new ServerClock();
  /** The most time of one operation, in milliseconds. */
  readonly timeoutMs: number;
  readonly #link: RedisLink;
  readonly #durable: ExecutorOptions["durable"];
  readonly #limits = new TimeLimits();
  readonly #durableLimits = new TimeLimits();
  readonly #paused = new PausedOperations((operation) => this.#try(operation));
  readonly #stopListening: () => void;
  #scripts = new KnownScripts();
  #clockAskedAtMs = -Infinity;
  #closed: BackendError | undefined;

  constructor(link: RedisLink, { timeoutMs, durable }: ExecutorOptions) {
    this.#link = link;
    this.timeoutMs = timeoutMs;
    this.#durable = durable;
    this.#stopListening = link.onReady(() => this.#onReady());
  }

  /**
   * Runs one operation. Calls go out in the order of the calls.
   *
   * @throws {BackendError} If Redis refused it, or could not be reached in
   * time; `outcome` says what became of a write.
   */
  run<T>(call: ScriptCall<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) throw this.#closed;
      const isDurable = this.#durable !== undefined && call.isDurable === true;
      const limits = isDurable ? this.#durableLimits : this.#limits;
      // Waiting for replicas is not what a lost connection is given up for.
      const waitMs = isDurable ? 2 * this.#durable!.timeoutMs : 0;
      const operation = new Operation<T>(
        call,
        isDurable,
        performance.now() + this.timeoutMs + waitMs,
        limits,
        resolve,
        reject,
      );
      limits.add(operation);
      this.#try(operation);
    });
  }

  /** Asks a server for its time, so that deadlines can be given to it. */
  async askTime(route: string): Promise<void> {
    this.#clockAskedAtMs = performance.now();
    await this.run<void>({
      what: () => "asking for the time",
      key: route,
      route,
      script: LUA_CLOCK,
      kind: "read",
      write: (words) => void words.push("0"),
      decode: (answer) => {
        const [seconds, microseconds] = answer as [string, string];
        this.clock.set(Number(seconds) * 1000 + Number(microseconds) / 1000);
      },
    });
  }

  /** Ends operations that wait for another try, with this error. */
  close(error: BackendError): void {
    this.#closed = error;
    this.#stopListening();
    this.#paused.failAtClose(error);
  }

  /** Waits for answers that are still owed, but not for long. */
  async drain(): Promise<void> {
    await Promise.all([
      this.#limits.drain(CLOSE_MS),
      this.#durableLimits.drain(CLOSE_MS),
    ]);
  }

  #try<T>(operation: Operation<T>): void {
    operation.tries++;
    const { call } = operation;
    const { script, route } = call;
    const sinceMs = operation.atMs - this.timeoutMs - this.#clockAskedAtMs;
    // Ahead of a read as well: the time its record has left is told by it.
    if (sinceMs > CLOCK_MS) this.askTime(route).catch(() => {});
    let state: ScriptState | undefined;
    let words: string[];
    if (script === undefined) words = [];
    else {
      state = this.#scripts.stateOf(script);
      words = beginCommand(script, state);
    }
    call.write(words, this.#attempt(operation, state));
    operation.isInFlight = true;
    const sent = operation.isDurable
      ? this.#durable!.writer.send(route, words)
      : this.#link.send(route, call.kind === "read", words);
    sent.then(
      (answer) => this.#answered(operation, state, answer),
      (error) => this.#rejected(operation, state, error),
    );
  }

  #attempt<T>(
    operation: Operation<T>,
    state: ScriptState | undefined,
  ): Attempt {
    const now = operation.atMs - this.timeoutMs;
    const checksPermissions = state !== undefined && state.isCheckDue(now);
    operation.checksAtMs = checksPermissions ? now : undefined;
    return new Try(operation, checksPermissions, this.clock);
  }

  #answered<T>(
    operation: Operation<T>,
    state: ScriptState | undefined,
    reply: unknown,
  ): void {
    operation.isInFlight = false;
    if (operation.isSettled) return;
    if (state) {
      state.isLoaded = true;
      state.checkedAtMs = operation.checksAtMs ?? state.checkedAtMs;
    }
    const { call, isDurable } = operation;
    const confirmed = isDurable ? (reply as DurableAnswer).confirmed : Infinity;
    const answer = isDurable ? (reply as DurableAnswer).answer : reply;
    const code = Array.isArray(answer) ? answer[0] : answer;
    if (call.kind !== "read") {
      if (code === REPLY.late) {
        return this.#late(operation, Number((answer as unknown[])[1]));
      }
      if (code === REPLY.unknown) {
        return operation.fail(undecidedError(call.what()));
      }
      if (answer === 0 && call.otherwise !== undefined) {
        operation.call = call.otherwise();
        return this.#try(operation);
      }
    }
    let result: T | typeof UNDECIDED;
    try {
      result = call.decode(answer);
    } catch (error) {
      return operation.fail(error);
    }
    if (result === UNDECIDED) {
      operation.call = call.otherwise!();
      return this.#try(operation);
    }
    if (
      confirmed >= (this.#durable?.replicas ?? 0) ||
      call.hasWritten?.(result) === false
    ) {
      return operation.succeed(result);
    }
    operation.fail(
      unconfirmedError(
        call.what(),
        confirmed,
        this.#durable!,
        call.versionOf?.(result),
        (reply as DurableAnswer).waitError,
      ),
    );
  }

  /** It was not executed: our idea of the server's time may be wrong. */
  #late<T>(operation: Operation<T>, serverMs: number): void {
    this.clock.set(serverMs);
    if (++operation.timesLate > MAX_LATE) {
      return operation.fail(
        // Bytes of an earlier try may be under way, and have no deadline.
        lateError(operation.call.what(), operation.tries, operation.isLost),
      );
    }
    this.#try(operation);
  }

  #rejected<T>(
    operation: Operation<T>,
    state: ScriptState | undefined,
    error: unknown,
  ): void {
    operation.isInFlight = false;
    const { call } = operation;
    const rejection = this.#classify(error);
    operation.lastError = error;
    if (rejection === "lost" && call.kind !== "read") operation.isLost = true;
    if (operation.isSettled) return;
    switch (rejection) {
      case "unknown_script":
        if (state) state.isLoaded = false;
        return this.#try(operation);
      case "refused":
        if (state) state.checkedAtMs = -Infinity;
        return operation.fail(
          refusedError(
            call.what(),
            call.key,
            error as Error,
            operation.isLost,
          ),
        );
      case "closed":
        return operation.fail(
          clientClosedError(call.what(), error, operation.isLost),
        );
      case "lost":
        if (call.kind === "non_idempotent") {
          return operation.fail(
            timeoutError(call.what(), error, operation.tries, true),
          );
        }
        // A retry must know itself: the shortest script does not.
        if (operation.isLost && call.otherwise !== undefined) {
          operation.call = call.otherwise();
        }
    }
    this.#wait(operation, rejection === "unsent");
  }

  #classify(error: unknown): Rejection {
    const rejection = classify(error);
    // Of a Cluster or Sentinel, the client of one node may have been closed.
    return rejection === "closed" && this.#link.isOpen ? "unsent" : rejection;
  }

  /** @param untilReady Whether a new connection ends the pause. */
  #wait<T>(operation: Operation<T>, untilReady: boolean): void {
    operation.waitsUntilReady = untilReady;
    if (this.#closed) return operation.failAtClose(this.#closed);
    this.#paused.add(operation as Operation<unknown>);
  }

  /** A new connection: it may be to another server. */
  #onReady(): void {
    this.#scripts = new KnownScripts();
    this.#paused.onReady();
  }
}
