/**
 * Runs commands and scripts on Redis: bounded in time, tried again where that
 * is safe, with a true answer to what a lost connection leaves open.
 */

import { BackendError } from "../../storage/errors.ts";
import type { RedisLink } from "../link_types.ts";
import { LUA_CLOCK } from "../lua/clock.ts";
import { REPLY } from "../lua/reply.ts";
import type { DurableWriter } from "./durability.ts";
import {
  classify,
  clientClosedError,
  refusedError,
  type Rejection,
  timeoutError,
} from "./reply_errors.ts";
import { pauseBefore } from "./retry.ts";
import { type LuaScript, sha1 } from "./script.ts";
import { ServerClock } from "./server_clock.ts";
import { type TimeLimit, TimeLimits } from "./time_limits.ts";

/** The conditions of a try, besides its operation. */
export interface Attempt {
  /** Whether an earlier try of the operation may have been executed. */
  readonly isRetry: boolean;
  /** Whether the script shall check all permissions it may need. */
  readonly checksPermissions: boolean;
  /** Server time, in milliseconds, after which it must not be executed. */
  readonly deadlineMs: string;
}

/** The result of `decode` where another call has to decide. */
export const UNDECIDED: unique symbol = Symbol("undecided");

/** One operation. */
export interface ScriptCall<T> {
  /** For messages: the operation and its key. */
  readonly what: () => string;
  /** The key its errors name. */
  readonly key: string;
  /** A Redis key of it: on a Cluster its slot decides where it goes. */
  readonly route: string;
  /** The script; left out: `words` writes a whole command. */
  readonly script?: LuaScript;
  /**
   * After a lost answer: `"read"` changes nothing and is tried again;
   * `"idempotent"` is tried again and recognizes itself; `"non_idempotent"` is
   * not, its outcome stays unknown.
   */
  readonly kind: "read" | "idempotent" | "non_idempotent";
  /** Whether replicas are waited for, where durability is asked for. */
  readonly isDurable?: boolean;
  /** Appends KEYS and ARGV, or the whole command. */
  write(words: string[], attempt: Attempt): void;
  /** Makes the result of the answer, or throws what it means. */
  decode(answer: unknown): T | typeof UNDECIDED;
  /** The version of the record that a result tells of, if it does. */
  readonly versionOf?: (result: T) => number;
  /** False for a result that wrote nothing: nothing is to be confirmed. */
  readonly hasWritten?: (result: T) => boolean;
  /**
   * The call that decides where this one cannot: a write that is answered 0, a
   * read decoded to `UNDECIDED`. A retry of a write takes it at once.
   */
  readonly otherwise?: () => ScriptCall<T>;
}

/** The state of a script on the present connection. */
interface ScriptState {
  /** Whether the server has it. */
  isLoaded: boolean;
  /**
   * When a call began that has checked its permissions and was answered, as
   * `performance.now()` has it. Until the answer no other relies on it: calls
   * that were sent together would be refused half-way.
   */
  checkedAtMs: number;
}

/** The time a check of permissions is relied on, in milliseconds. */
const PERMISSIONS_MS = 10_000;

/** The time the server's clock is relied on, in milliseconds. */
const CLOCK_MS = 300_000;

/** The longest time closing waits for answers, in milliseconds. */
const CLOSE_MS = 2000;

/**
 * The most tries of one operation that may come too late by our own clock's
 * fault.
 */
const MAX_LATE = 3;

/** SHA-1 of each script's source; false while it is computed. */
const digests = new WeakMap<LuaScript, string | false>();

/** Options of a {@linkcode ScriptExecutor}. */
export interface ExecutorOptions {
  /** The most time of one operation, in milliseconds. */
  readonly timeoutMs: number;
  /** Writes durably, if that is asked for. */
  readonly durable?: {
    readonly writer: DurableWriter;
    readonly replicas: number;
    readonly timeoutMs: number;
  };
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
  /** Operations between two tries. */
  readonly #waiting = new Map<
    Operation<unknown>,
    ReturnType<typeof setTimeout>
  >();
  readonly #stopListening: () => void;
  #scripts = new Map<LuaScript, ScriptState>();
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
    for (const [operation, timer] of this.#waiting) {
      clearTimeout(timer);
      operation.fail(operation.isLost ? unknownAtClose(operation) : error);
    }
    this.#waiting.clear();
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
    let state: ScriptState | undefined;
    let words: string[];
    if (script === undefined) words = [];
    else {
      state = this.#stateOf(script);
      const digest = digestOf(script);
      words = state.isLoaded && digest
        ? ["EVALSHA", digest]
        // The first calls of a process go out at once, with the source.
        : ["EVAL", script.source];
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
    const sinceMs = operation.atMs - this.timeoutMs - this.#clockAskedAtMs;
    if (sinceMs > CLOCK_MS && call.kind !== "read") {
      this.askTime(route).catch(() => {});
    }
  }

  #attempt<T>(
    operation: Operation<T>,
    state: ScriptState | undefined,
  ): Attempt {
    const now = operation.atMs - this.timeoutMs;
    const checksPermissions = state !== undefined &&
      now - state.checkedAtMs > PERMISSIONS_MS;
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
    const confirmed = isDurable
      ? (reply as { confirmed: number }).confirmed
      : Infinity;
    const answer = isDurable ? (reply as { answer: unknown }).answer : reply;
    const code = Array.isArray(answer) ? answer[0] : answer;
    if (call.kind !== "read") {
      if (code === REPLY.late) {
        return this.#late(operation, Number((answer as unknown[])[1]));
      }
      if (code === REPLY.unknown) {
        return operation.fail(
          new BackendError(
            `${call.what()} was tried again, and whether an earlier try was executed can no longer be decided`,
            { outcome: "unknown" },
          ),
        );
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
    operation.fail(this.#unconfirmed(call, confirmed, result));
  }

  #unconfirmed<T>(
    call: ScriptCall<T>,
    confirmed: number,
    result: T,
  ): BackendError {
    const { replicas, timeoutMs } = this.#durable!;
    const version = call.versionOf?.(result);
    return new BackendError(
      `${call.what()} is written, but ${confirmed} of ${replicas} replicas confirmed it within ${timeoutMs} ms`,
      {
        outcome: "applied",
        ...(version === undefined ? {} : { version }),
      },
    );
  }

  /** It was not executed: our idea of the server's time may be wrong. */
  #late<T>(operation: Operation<T>, serverMs: number): void {
    this.clock.set(serverMs);
    if (++operation.timesLate > MAX_LATE) {
      return operation.fail(
        timeoutError(
          operation.call.what(),
          "it reached the server after its deadline",
          operation.tries,
          // Bytes of an earlier try may be under way, and have no deadline.
          operation.isLost,
        ),
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
    if (this.#closed) {
      return operation.fail(
        operation.isLost ? unknownAtClose(operation) : this.#closed,
      );
    }
    const retry = () => {
      this.#waiting.delete(operation as Operation<unknown>);
      if (!operation.isSettled) this.#try(operation);
    };
    this.#waiting.set(
      operation as Operation<unknown>,
      setTimeout(retry, pauseBefore(operation.tries)),
    );
    operation.onSettled = () => {
      clearTimeout(this.#waiting.get(operation as Operation<unknown>));
      this.#waiting.delete(operation as Operation<unknown>);
    };
  }

  /** A new connection: it may be to another server. */
  #onReady(): void {
    this.#scripts = new Map();
    for (const [operation, timer] of [...this.#waiting]) {
      // A command that was lost on the last connection keeps its pause: it may
      // be what ends connections.
      if (!operation.waitsUntilReady) continue;
      clearTimeout(timer);
      this.#waiting.delete(operation);
      this.#try(operation);
    }
  }

  #stateOf(script: LuaScript): ScriptState {
    let state = this.#scripts.get(script);
    if (state === undefined) {
      state = { isLoaded: false, checkedAtMs: -Infinity };
      this.#scripts.set(script, state);
    }
    return state;
  }
}

/** One try of an operation. */
class Try implements Attempt {
  readonly isRetry: boolean;
  readonly checksPermissions: boolean;
  readonly #atMs: number;
  readonly #clock: ServerClock;

  constructor(
    { isLost, atMs }: { isLost: boolean; atMs: number },
    checksPermissions: boolean,
    clock: ServerClock,
  ) {
    this.isRetry = isLost;
    this.checksPermissions = checksPermissions;
    this.#atMs = atMs;
    this.#clock = clock;
  }

  /** Made only where a script asks for it. */
  get deadlineMs(): string {
    if (!this.#clock.isSet) return "";
    const leftMs = this.#atMs - performance.now();
    return String(Math.ceil(this.#clock.now() + leftMs));
  }
}

/** One operation under way. */
class Operation<T> implements TimeLimit {
  call: ScriptCall<T>;
  readonly isDurable: boolean;
  readonly atMs: number;
  tries = 0;
  timesLate = 0;
  isInFlight = false;
  /** Whether a try may have been executed and its answer was lost. */
  isLost = false;
  isSettled = false;
  /** When the present try began, if it checks permissions. */
  checksAtMs: number | undefined;
  lastError: unknown;
  waitsUntilReady = false;
  onSettled: (() => void) | undefined;
  previous: TimeLimit | undefined;
  next: TimeLimit | undefined;
  readonly #limits: TimeLimits;
  readonly #resolve: (result: T) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    call: ScriptCall<T>,
    isDurable: boolean,
    atMs: number,
    limits: TimeLimits,
    resolve: (result: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.call = call;
    this.isDurable = isDurable;
    this.atMs = atMs;
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  succeed(result: T): void {
    this.#settle();
    this.#resolve(result);
  }

  fail(error: unknown): void {
    this.#settle();
    this.#reject(error);
  }

  onTimeout(): void {
    const isWrite = this.call.kind !== "read";
    this.fail(
      timeoutError(
        this.call.what(),
        this.lastError ?? "no answer in time",
        this.tries,
        isWrite && (this.isLost || this.isInFlight),
      ),
    );
  }

  #settle(): void {
    this.isSettled = true;
    this.#limits.remove(this);
    this.onSettled?.();
  }
}

/** The digest of a script, once it is known; it is computed beside. */
function digestOf(script: LuaScript): string | false {
  const digest = digests.get(script);
  if (digest !== undefined) return digest;
  digests.set(script, false);
  sha1(script.source).then((text) => digests.set(script, text));
  return false;
}

function unknownAtClose<T>(operation: Operation<T>): BackendError {
  return new BackendError(
    `${operation.call.what()}: the backend was closed before it could be tried again; whether it was executed is unknown`,
    { outcome: "unknown", closed: true, cause: operation.lastError },
  );
}
