/**
 * How a script reaches Redis: bounded in tries and time, with an answer to
 * the question a lost connection leaves open - was it carried out?
 */

import { MAX_TIMER_MS, requireInteger } from "../../storage/checks.ts";
import { BackendError } from "../../storage/errors.ts";
import type {
  PipelineLike,
  RedisClientLike,
  ScriptRunner,
} from "../connect.ts";
import type { KeySchema } from "../key_schema.ts";
import { type LuaScript, runScript } from "./script.ts";
import { deadline, DeadlineError } from "../../util/deadline.ts";

/** How long an operation may try. */
export interface RetryOptions {
  /** The most tries of one operation. Default: 8. */
  readonly attempts?: number;
  /** The most time for all of them, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number;
}

/** How many replicas must have a write before it counts. */
export interface DurabilityOptions {
  /** Replicas that must have confirmed the write, from 1. */
  readonly replicas: number;
  /** How long to wait for them, in milliseconds, from 1. */
  readonly timeoutMs: number;
}

/** The policy of a {@linkcode ScriptExecutor}, checked. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly timeoutMs: number;
  readonly durability: DurabilityOptions | undefined;
}

/** Checks how long operations may try and what makes them durable. */
export function checkPolicy(
  { attempts = 8, timeoutMs = 10_000 }: RetryOptions = {},
  durability?: DurabilityOptions,
): RetryPolicy {
  requireInteger("retry.attempts", attempts, 1);
  requireInteger("retry.timeoutMs", timeoutMs, 1, MAX_TIMER_MS);
  if (durability) {
    requireInteger("durability.replicas", durability.replicas, 1);
    requireInteger("durability.timeoutMs", durability.timeoutMs, 1);
  }
  return { attempts, timeoutMs, durability };
}

/** One operation. */
export interface Call {
  /** For messages: the operation and its key. */
  readonly what: string;
  readonly script: LuaScript;
  readonly keys: string[];
  /** ARGV; told whether an earlier try may have been carried out. */
  readonly args: (retry: boolean) => string[];
  /**
   * After a lost answer: `"read"` changes nothing and is tried again;
   * `"guarded"` is tried again, its script recognises its own write; `"once"`
   * is not, its outcome stays unknown.
   */
  readonly kind: "read" | "guarded" | "once";
}

/** What the parts of a backend run their scripts with. */
export interface ScriptSource {
  readonly schema: KeySchema;
  readonly maxRecordBytes: number;
  /** Runs a script; `key` is what its errors name. */
  run<T>(call: Call, key: string): Promise<T>;
}

/** Runs calls on one client. */
export class ScriptExecutor {
  readonly #client: RedisClientLike;
  readonly #attempts: number;
  /** The most time of one operation, in milliseconds. */
  readonly timeoutMs: number;
  readonly #durability: DurabilityOptions | undefined;

  constructor(client: RedisClientLike, policy: RetryPolicy) {
    if (policy.durability && client.multi === undefined) {
      throw new TypeError("durability needs a client with multi()");
    }
    this.#client = client;
    this.#attempts = policy.attempts;
    this.timeoutMs = policy.timeoutMs;
    this.#durability = policy.durability;
  }

  /**
   * Runs one operation and returns the script's answer.
   *
   * @throws {BackendError} If Redis refused it, or could not be reached in
   * time; `outcome` says what became of a write.
   */
  async run(call: Call): Promise<unknown> {
    // Waiting for replicas is not what a lost connection is given up for; it
    // happens twice where the server did not know the script yet.
    const waitMs = call.kind === "read" ? 0 : this.#durability?.timeoutMs ?? 0;
    const deadline = performance.now() + this.timeoutMs + 2 * waitMs;
    // Whether an earlier try may have been carried out.
    let lost = false;
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#try(call, lost, deadline - performance.now());
      } catch (error) {
        if (error instanceof BackendError) throw error;
        if (isReply(error) && !isTransient(error)) {
          throw refused(call, error, lost);
        }
        const unsent = isReply(error) || isUnsent(error);
        lost ||= !unsent && call.kind !== "read";
        const pauseMs = Math.min(10 * 2 ** attempt, 500) *
          (0.5 + Math.random());
        if (
          attempt >= this.#attempts || isClosed(error) ||
          (lost && call.kind === "once") ||
          performance.now() + pauseMs >= deadline
        ) {
          throw unreachable(call, error, attempt, lost);
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  async #try(call: Call, retry: boolean, timeoutMs: number): Promise<unknown> {
    const { script, keys } = call;
    const args = call.args(retry);
    // A command that waits for the connection is taken back at the deadline:
    // it must not be carried out after its caller was told that it failed.
    const abort = this.#client.isReady === false &&
        this.#client.withAbortSignal !== undefined
      ? new AbortController()
      : undefined;
    const runner = abort
      ? this.#client.withAbortSignal!(abort.signal) as RedisClientLike
      : this.#client;
    const answer = this.#durability && call.kind !== "read"
      ? this.#runDurably(runner, call, args)
      : runScript(runner, script, keys, args);
    try {
      return await deadline(answer, timeoutMs);
    } catch (error) {
      if (abort === undefined || !(error instanceof DeadlineError)) throw error;
      abort.abort();
      const takenBack = await Promise.race([
        answer.then(() => false, (cause) => classOf(cause) === "AbortError"),
        new Promise<boolean>((resolve) => setTimeout(resolve, 0, false)),
      ]);
      throw takenBack ? new NotSent("the connection is down") : error;
    }
  }

  /** The script and WAIT in one round trip, on one connection. */
  async #runDurably(
    client: RedisClientLike,
    call: Call,
    args: string[],
  ): Promise<unknown> {
    const { replicas, timeoutMs } = this.#durability!;
    let confirmed = 0;
    const run = async (
      queue: (pipeline: PipelineLike) => PipelineLike,
    ): Promise<unknown> => {
      const pipeline = queue(client.multi!() as PipelineLike);
      const answers = await execPipeline(pipeline.wait(replicas, timeoutMs));
      confirmed = Number(answers[1]);
      return answers[0];
    };
    const runner: ScriptRunner = {
      evalSha: (sha1, input) => run((p) => p.evalSha(sha1, input)),
      eval: (source, input) => run((p) => p.eval(source, input)),
    };
    const answer = await runScript(runner, call.script, call.keys, args);
    const [code, version] = Array.isArray(answer) ? answer : [answer];
    if (code === 1 && !(confirmed >= replicas)) {
      throw new BackendError(
        `${call.what} is written, but ${confirmed} of ${replicas} replicas confirmed it within ${timeoutMs} ms`,
        {
          outcome: "applied",
          ...(version === undefined ? {} : { version: Number(version) }),
        },
      );
    }
    return answer;
  }
}

/** The answers of a pipeline; the first error among them is thrown. */
async function execPipeline(pipeline: PipelineLike): Promise<unknown[]> {
  try {
    const answers = await pipeline.execAsPipeline();
    const failed = answers.find((answer) => answer instanceof Error);
    if (failed) throw failed;
    return answers;
  } catch (error) {
    const { replies } = error as { replies?: unknown[] };
    throw replies?.find((reply) => reply instanceof Error) ?? error;
  }
}

/** The deadline passed while the command waited for a connection. */
class NotSent extends Error {
  override readonly name = "NotSent";
}

/** An error reply: the server has read the command and says no. */
function isReply(error: unknown): error is Error {
  // Errors of the operating system carry a code; replies do not.
  return error instanceof Error && !("code" in error) &&
    /^[A-Z][A-Z0-9]+ /.test(error.message);
}

/** Replies that say "not now": nothing was carried out. */
function isTransient(error: Error): boolean {
  return /^(LOADING|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|BUSY) /.test(error.message);
}

/** Failures before the command went out. */
function isUnsent(error: unknown): boolean {
  return error instanceof NotSent || isClosed(error) ||
    ["ClientOfflineError", "AbortError", "TimeoutError"]
      .includes(classOf(error));
}

/** The client was closed by its owner: trying again is no use. */
function isClosed(error: unknown): boolean {
  return classOf(error) === "ClientClosedError";
}

/** node-redis' errors differ by class, not by `name`. */
function classOf(error: unknown): string {
  return error instanceof Error ? error.constructor.name : "";
}

function refused(call: Call, cause: Error, lost: boolean): BackendError {
  const hint = /unknown (redis )?command/i.test(cause.message)
    ? " (Redis >= 7.0 or Valkey >= 7.2 is needed)"
    : "";
  return new BackendError(`${call.what} failed: ${cause.message}${hint}`, {
    cause,
    outcome: lost ? "unknown" : "not_applied",
  });
}

function unreachable(
  call: Call,
  cause: unknown,
  attempts: number,
  lost: boolean,
): BackendError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const tries = attempts === 1 ? "1 try" : `${attempts} tries`;
  const fate = lost ? ", and whether it was carried out is unknown" : "";
  return new BackendError(
    `${call.what} failed after ${tries}: ${reason}${fate}`,
    { cause, outcome: lost ? "unknown" : "not_applied" },
  );
}
