/**
 * One operation on Redis as its caller describes it to the executor: what is
 * sent, what the answer means, and what a lost answer leaves open.
 */

import type { LuaScript } from "./script.ts";

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
