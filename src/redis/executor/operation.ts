/** Operations under way, and the tries they are made of. */

import type { BackendError } from "../../storage/errors.ts";
import { closedUnknownError, timeoutError } from "./reply_errors.ts";
import type { Attempt, ScriptCall } from "./script_call.ts";
import type { ServerClock } from "./server_clock.ts";
import type { TimeLimit, TimeLimits } from "./time_limits.ts";

/** One try of an operation. */
export class Try implements Attempt {
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

/** One operation under way, from the call to its result. */
export class Operation<T> implements TimeLimit {
  call: ScriptCall<T>;
  readonly isDurable: boolean;
  readonly atMs: number;
  tries = 0;
  timesLate = 0;
  isInFlight = false;
  /** Whether a try may have been executed and its answer was lost. */
  isLost = false;
  isSettled = false;
  /** When the operation began, if its present try checks permissions. */
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

  /** Fails because the backend was closed before it could be tried again. */
  failAtClose(closed: BackendError): void {
    this.fail(
      this.isLost
        ? closedUnknownError(this.call.what(), this.lastError)
        : closed,
    );
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
