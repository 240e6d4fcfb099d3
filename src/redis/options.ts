/** The options of a `RedisBackend`, and their check before anything is sent. */

import {
  DEFAULT_MAX_RECORD_BYTES,
  MAX_TIMER_MS,
  requireInteger,
} from "../storage/checks.ts";
import { checkOnWarning, type WarningListener } from "../storage/warnings.ts";
import {
  checkDurability,
  checkRetry,
  type DurabilityOptions,
  type RetryOptions,
} from "./executor/retry.ts";
import { KeySchema, type KeySchemaName } from "./key_schema.ts";

/** Options of a {@linkcode RedisBackend}. */
export interface RedisBackendOptions {
  /**
   * The beginning of every key, without braces. Default: `"mcp"`, or `"pmcp"`
   * under that schema.
   */
  readonly prefix?: string | undefined;
  /**
   * The layout of the keys. Default: `"mcp"`. `"pmcp"` is that of the Rust
   * crate pmcp-tasks, so that both can share one Redis; not for a Cluster.
   */
  readonly schema?: KeySchemaName | undefined;
  /** The largest record, in bytes of UTF-8. Default: 8 MiB. */
  readonly maxRecordBytes?: number | undefined;
  /** Bounds on the tries of an operation, such as after a lost connection. */
  readonly retry?: RetryOptions | undefined;
  /**
   * Conditions under which a write counts as durable. Default: none are waited
   * for.
   */
  readonly durability?: DurabilityOptions | undefined;
  /**
   * The longest a watch sleeps before it reads again without an event, in
   * milliseconds: the bound on a lost event. Default: 30,000.
   */
  readonly watchRefreshMs?: number | undefined;
  /**
   * Called with what an operator should know: a server that evicts keys, a
   * borrowed client that sends commands again by itself, a listener that has
   * thrown; `cause` is what it has thrown. Default: `console.warn`, once a
   * sentence.
   */
  readonly onWarning?:
    | ((message: string, cause?: unknown) => void)
    | undefined;
}

/** The options, checked, with their defaults. */
export interface ResolvedOptions {
  readonly schema: KeySchema;
  readonly maxRecordBytes: number;
  readonly watchRefreshMs: number;
  /** The most time of one operation, in milliseconds. */
  readonly timeoutMs: number;
  readonly durability: DurabilityOptions | undefined;
  readonly onWarning: WarningListener;
}

/** Checks the options. */
export function resolveOptions(options: RedisBackendOptions): ResolvedOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options are ${String(options)}: expected an object`);
  }
  const {
    schema = "mcp",
    prefix = schema,
    maxRecordBytes = DEFAULT_MAX_RECORD_BYTES,
    watchRefreshMs = 30_000,
    retry,
    durability,
    onWarning,
  } = options;
  requireInteger("maxRecordBytes", maxRecordBytes, 1);
  requireInteger("watchRefreshMs", watchRefreshMs, 1, MAX_TIMER_MS);
  const timeoutMs = checkRetry(retry);
  return {
    schema: new KeySchema(schema, prefix),
    maxRecordBytes,
    watchRefreshMs,
    timeoutMs,
    durability: checkDurability(durability, timeoutMs),
    onWarning: checkOnWarning(onWarning),
  };
}
