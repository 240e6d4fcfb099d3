/** The calls of a run as the recorder keeps them and the checker reads them. */

/** The operations that are recorded. */
export type Operation =
  | "get"
  | "list"
  | "create"
  | "put"
  | "cas"
  | "delete"
  | "acquire"
  | "renew"
  | "release"
  | "create leased"
  | "expire"
  | "record step"
  | "open steps"
  | "push"
  | "shift"
  | "drain"
  | "task";

/** The operations that write a record, each under an operation id. */
export const RECORD_WRITES: ReadonlySet<Operation> = new Set<Operation>([
  "create",
  "put",
  "cas",
  "delete",
  "create leased",
  "expire",
]);

/** The operations on queues, whose answer may be lost without a remedy. */
export const QUEUE_OPERATIONS: ReadonlySet<Operation> = new Set<Operation>([
  "push",
  "shift",
  "drain",
]);

/** A record as an answer showed it. */
export interface SeenRecord {
  readonly key: string;
  readonly version: number;
  readonly etag: string;
  /** The name of the write the text says it is of. */
  readonly token: string;
  readonly lease?: { readonly holder: string; readonly fence: number };
}

/** What a call was answered. */
export type Answer =
  | { readonly is: "version"; readonly version: number }
  | { readonly is: "boolean"; readonly value: boolean }
  | { readonly is: "record"; readonly record: SeenRecord }
  | { readonly is: "records"; readonly records: readonly SeenRecord[] }
  | { readonly is: "fence"; readonly fence: number }
  | { readonly is: "done" }
  | { readonly is: "messages"; readonly messages: readonly string[] }
  | { readonly is: "step"; readonly data: string; readonly recorded: boolean }
  | { readonly is: "steps"; readonly steps: ReadonlyMap<string, string> }
  | { readonly is: "absent" }
  | { readonly is: "conflict"; readonly actual: number }
  | { readonly is: "capacity"; readonly unit: string; readonly actual: number }
  | { readonly is: "queue full" }
  | { readonly is: "leased"; readonly holder: string }
  | { readonly is: "fenced" }
  | {
    readonly is: "failed";
    readonly outcome: "not_applied" | "applied" | "unknown";
    readonly version: number | undefined;
    readonly message: string;
  }
  /** A task call that ended in an answer of the task domain. */
  | { readonly is: "refused"; readonly message: string }
  /** An error no caller expects. */
  | { readonly is: "broken"; readonly message: string };

/** What a conditional write expects; an empty etag is any. */
export interface Expected {
  readonly version: number;
  readonly etag: string;
}

/** One call: what was asked, when, and what was answered. */
export interface Call {
  readonly index: number;
  readonly instance: number;
  readonly operation: Operation;
  readonly key: string;
  /** The operation id of a write of a record, otherwise empty. */
  readonly id: string;
  /** What names the write in its data, or the message; otherwise empty. */
  readonly token: string;
  readonly expected?: Expected | undefined;
  readonly fence?: number | undefined;
  readonly holder?: string | undefined;
  readonly forMs?: number | undefined;
  readonly releaseLease?: boolean | undefined;
  readonly active?: boolean | undefined;
  /** Epoch milliseconds; `null`: the caller left it to the data. */
  readonly expiresAt?: number | null | undefined;
  readonly maxRecords?: number | undefined;
  readonly maxActive?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly step?: string | undefined;
  /** The task call this one is a part of. */
  readonly parent?: Call | undefined;
  /** The name of a task call. */
  readonly name?: string | undefined;
  /** Whether the instance waits for replicas. */
  readonly durable: boolean;
  /** Place of the start among all starts and ends. */
  readonly start: number;
  /** Place of the end; `Infinity` while there is none. */
  end: number;
  /** Epoch milliseconds. */
  readonly startMs: number;
  /** Epoch milliseconds; `Infinity` while there is none. */
  endMs: number;
  answer: Answer | undefined;
}

/** Whether the call was told that it did what it was to do. */
export function isSuccess({ answer, operation }: Call): boolean {
  switch (answer?.is) {
    case "version":
    case "fence":
    case "done":
    case "step":
      return true;
    case "boolean":
      return operation === "release" || answer.value;
    case "messages":
      return answer.messages.length > 0;
    case "failed":
      return answer.outcome === "applied";
    default:
      return false;
  }
}

/** Whether the call does not know what it did. */
export function isUnknown({ answer }: Call): boolean {
  return answer === undefined ||
    (answer.is === "failed" && answer.outcome === "unknown");
}

/**
 * Whether what is asked cannot be decided in every case: compare-and-swap by
 * version alone, `put`, and `delete` of whatever is stored.
 */
export function isWeak({ operation, expected }: Call): boolean {
  if (operation === "put") return true;
  if (operation === "delete" || operation === "cas") {
    return expected === undefined || expected.etag === "";
  }
  return operation === "expire" && expected?.etag === "";
}

/** A call in one line, for a trace. */
export function describe(call: Call): string {
  const { index, instance, operation, name, key, id, token, expected } = call;
  const given = [
    id && `id ${id}`,
    token && token !== id && `writes ~${token}~`,
    expected && `expects ${expected.version}.${expected.etag || "*"}`,
    call.fence !== undefined && `fence ${call.fence}`,
    call.holder && `holder ${call.holder}`,
    call.maxRecords !== undefined && `maxRecords ${call.maxRecords}`,
    call.maxActive !== undefined && `maxActive ${call.maxActive}`,
    call.active && "active",
  ].filter(Boolean).join(", ");
  return `#${index} on ${instance}: ${name ?? operation} ${key}${
    given && ` (${given})`
  } [${call.start}..${call.end}, ${
    Math.round(call.endMs - call.startMs)
  } ms] -> ${show(call.answer)}`;
}

function show(answer: Answer | undefined): string {
  if (answer === undefined) return "no answer";
  const { is, ...rest } = answer;
  return `${is} ${JSON.stringify(rest)}`;
}
