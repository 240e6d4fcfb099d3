/** The common parts of all scripts that write one record. */

import { EXPIRED_MEMBERS } from "./fragments/expired_members.ts";
import { INDEX_EXPIRY } from "./fragments/index_expiry.ts";
import { NOTE, NOTED, REFUSE } from "./fragments/refusal.ts";
import { SPAN } from "./fragments/state.ts";
import {
  GROWN_TRACE,
  JOINED_TRACE,
  KEEP_TRACE,
  OLD_TRACE,
} from "./fragments/trace.ts";
import { WRITE_RECORD } from "./fragments/write_record.ts";

/** The keys of one record, all in its owner's slot. */
export const RECORD_KEYS = [
  "record",
  "created_index",
  "expiry_index",
  "active_index",
  "gone",
] as const;

/**
 * The arguments of every write of a record.
 *
 * - `want`: `<active 0 or 1>|<created ms or empty>|<expires ms or empty>|`
 * - `channel`: where the new version is published
 * - `op`: the operation id
 * - `deadline_ms`: server time after which the write must not be executed
 * - `mode`: letters; `r` an earlier try may have been executed, `p` check the
 *   permissions, `k` indexes keep no expiry, `o` the quotas are counted again;
 *   empty for the common case
 */
export const WRITE_ARGS = [
  "task",
  "data",
  "want",
  "number:expires_ms",
  "channel",
  "op",
  "number:deadline_ms",
  "mode",
] as const;

/**
 * The fragments of the uncommon write, behind `ownWrite` and `LIVE_VERSION`.
 */
export const FULL_WRITE: readonly string[] = [
  SPAN,
  OLD_TRACE,
  JOINED_TRACE,
  KEEP_TRACE,
  GROWN_TRACE,
  NOTED,
  NOTE,
  REFUSE,
  INDEX_EXPIRY,
  EXPIRED_MEMBERS,
  WRITE_RECORD,
];
