/** The common ground of the parts of a `RedisBackend`. */

import type { WarningListener } from "../storage/warnings.ts";
import type { ScriptCall } from "./executor/script_call.ts";
import type { ServerClock } from "./executor/server_clock.ts";
import type { EventHub } from "./events.ts";
import type { KeySchema } from "./key_schema.ts";

/** A backend as its parts see it. */
export interface RedisContext {
  readonly schema: KeySchema;
  readonly maxRecordBytes: number;
  /** The server's time, as far as it is known. */
  readonly clock: ServerClock;
  readonly events: EventHub;
  /** Called with what an operator should know. */
  readonly onWarning: WarningListener;
  /** Whether the keys are spread over the nodes of a Cluster. */
  readonly isCluster: boolean;
  /** Runs a call; throws if the backend is closed. */
  run<T>(call: ScriptCall<T>): Promise<T>;
}
