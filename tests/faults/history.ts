/**
 * Hand-made histories for the checker's own tests: what callers were told, and
 * what the append-only file then has.
 */

import type { Transaction } from "../../scripts/faults/aof.ts";
import type { Answer, Call } from "../../scripts/faults/calls.ts";
import { check } from "../../scripts/faults/checker.ts";
import type { ViolationKind } from "../../scripts/faults/report.ts";
import { readTruth } from "../../scripts/faults/truth.ts";

/** A server's time of the histories, in epoch milliseconds. */
export const NOW_MS = 1_700_000_000_000;

/** The key of the histories, unless they name another. */
export const KEY = "alice:t-1";

/** What of a call a history says; the rest is as usual. */
export type CallPart = Partial<Call> & Pick<Call, "operation" | "answer">;

/** See the module. Times are places in one order of starts and ends. */
export class HandMade {
  readonly calls: Call[] = [];
  readonly transactions: Transaction[] = [];
  /** What a master had that was replaced by one without it, from the start on. */
  readonly lost: Transaction[] = [];
  #ticks = 0;

  /** A call that starts after all before it have ended. */
  call(part: CallPart): Call {
    const start = this.#ticks++;
    return this.between(start, this.#ticks++, part);
  }

  /** A call with its own start and end. */
  between(start: number, end: number, part: CallPart): Call {
    this.#ticks = Math.max(this.#ticks, start + 1, end + 1);
    const call: Call = {
      index: this.calls.length,
      instance: 0,
      key: KEY,
      id: "",
      token: part.id ?? "",
      durable: false,
      startMs: NOW_MS,
      endMs: NOW_MS + 1,
      expiresAt: undefined,
      ...part,
      start,
      end,
    };
    this.calls.push(call);
    return call;
  }

  /** Stores a version as a script does. */
  write(
    version: number,
    id: string,
    { key = KEY, token = id, active = false, index = true, more = [] }: {
      key?: string;
      token?: string;
      active?: boolean;
      /** Whether the index has it. */
      index?: boolean;
      /** More fields of the hash. */
      more?: string[];
    } = {},
  ): void {
    const [owner, task] = key.split(":");
    this.effects(
      ...(index ? [["ZADD", `mcp:idx:{${owner}}`, "1", task!]] : []),
      ...(active && index
        ? [["ZADD", `mcp:act:{${owner}}`, "inf", task!]]
        : []),
      [
        ...["HSET", `mcp:tasks:{${owner}}:${task}`, "version", `${version}`],
        ...["data", `~${token}~`],
        ...["ops", `${active ? 1 : 0}|1||${version}.${id} ~00000001`],
        ...more,
      ],
    );
  }

  /** Removes a record as a script does. */
  remove(id: string, { key = KEY } = {}): void {
    const [owner, task] = key.split(":");
    this.effects(
      ["ZREM", `mcp:idx:{${owner}}`, task!],
      ["ZREM", `mcp:act:{${owner}}`, task!],
      ["DEL", `mcp:tasks:{${owner}}:${task}`],
      [
        "SET",
        `mcp:gone:{${owner}}:${task}`,
        `00000001|0.${id} ~`,
        "PX",
        "60000",
      ],
    );
  }

  /** Sets the lease of the key. */
  lease(fence: number, untilMs: number, holder: string): void {
    const lease = `${fence}|${untilMs}|${holder}-1|${holder}`;
    this.effects(["HSET", "mcp:tasks:{alice}:t-1", "lease", lease]);
  }

  /** Commands of one script. */
  effects(...transaction: string[][]): void {
    this.transactions.push(transaction);
  }

  /** The kinds of violations that the checker finds, each once. */
  kinds(): ViolationKind[] {
    const truth = readTruth(this.transactions, "mcp");
    const lost = this.lost.length === 0
      ? []
      : [{ truth: readTruth(this.lost, "mcp"), common: 0 }];
    const { violations } = check(this.calls, truth, { lost });
    return [...new Set(violations.map(({ kind }) => kind))].toSorted();
  }
}

/** An answer: the version a write made. */
export function version(version: number): Answer {
  return { is: "version", version };
}

/** An answer: what was read. */
export function record(
  version: number,
  etag: string,
  lease?: { holder: string; fence: number },
): Answer {
  const seen = { key: KEY, version, etag, token: etag };
  return { is: "record", record: lease ? { ...seen, lease } : seen };
}

/** An answer: the outcome of a write that failed. */
export function failed(outcome: "not_applied" | "applied" | "unknown"): Answer {
  return { is: "failed", outcome, version: undefined, message: "" };
}
