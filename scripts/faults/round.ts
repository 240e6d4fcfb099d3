/** One round of a run: servers started empty, broken, read back and checked. */

import { type Call, describe, QUEUE_OPERATIONS } from "./calls.ts";
import { check } from "./checker.ts";
import { type FaultCounts, FaultSchedule, Network } from "./network.ts";
import { Random } from "./random.ts";
import { Recorder } from "./recorder.ts";
import { type Findings, noFindings, trace } from "./report.ts";
import { pause, runServerFaults } from "./server_faults.ts";
import type { History, Topology } from "./topology.ts";
import type { Truth } from "./states.ts";
import { readTruth } from "./truth.ts";
import type { By, KeySpace } from "./worker.ts";
import { runWorkload } from "./workload.ts";

/** Options of a round. */
export interface RoundOptions {
  readonly prefix: string;
  readonly seed: number;
  readonly keys: KeySpace;
  readonly by: By;
  readonly instances: number;
  readonly workers: number;
  /** One fault of the network in so many calls. */
  readonly faultEvery: number;
  /** The round ends after so many calls. */
  readonly calls: number;
  /** Or at this time, in epoch milliseconds. */
  readonly untilMs: number;
}

/** What a round has shown. */
export interface RoundResult {
  readonly calls: number;
  readonly seconds: number;
  readonly findings: Findings;
  /** The first few violations of each kind, readable. */
  readonly traces: ReadonlyMap<string, readonly string[]>;
  /** Calls of records whose outcome is unknown, by operation. */
  readonly unknown: ReadonlyMap<string, number>;
  /** Why, without keys and numbers. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Calls of queues whose outcome is unknown: their answer was lost. */
  readonly unknownQueues: number;
  readonly answers: ReadonlyMap<string, number>;
}

/** Runs one. */
export async function runRound(
  topology: Topology,
  counts: FaultCounts,
  options: RoundOptions,
): Promise<RoundResult> {
  const random = new Random(options.seed);
  const recorder = new Recorder();
  const schedule = new FaultSchedule({
    random: random.fork(),
    everyCalls: options.faultEvery,
    callsSoFar: () => recorder.calls.length,
    counts,
  });
  await using stack = new AsyncDisposableStack();
  const instances = [];
  for (let i = 0; i < options.instances; i++) {
    const network = stack.use(new Network(schedule));
    const durable = topology.hasFailovers && i % 2 === 0;
    const backend = stack.use(await topology.open(network, durable));
    instances.push({ backend, durable });
  }
  const startMs = Date.now();
  const isOver = () =>
    recorder.calls.length >= options.calls || Date.now() >= options.untilMs ||
    topology.isUsedUp;
  schedule.enabled = true;
  const work = Promise.all([
    runWorkload({
      ...options,
      instances,
      recorder,
      random: random.fork(),
      isOver,
    }),
    runServerFaults({
      faults: topology.faults,
      random: random.fork(),
      counts,
      everyMs: topology.faultEveryMs,
      isOver,
    }),
  ]);
  await answered(work, recorder.calls);
  schedule.enabled = false;
  const seconds = (Date.now() - startMs) / 1000;
  await stack.disposeAsync();
  const { findings, traces } = judge(
    recorder.calls,
    await topology.histories(),
    options.prefix,
  );
  return {
    calls: recorder.calls.length,
    seconds,
    findings,
    traces,
    answers: recorder.answers,
    ...unknownOf(recorder.calls),
  };
}

/** The longest time any call may take: more than an operation may be tried. */
const MAX_CALL_MS = 60_000;

/** Waits for the end of a round; fails, with what it is about, a call without. */
async function answered(
  work: Promise<unknown>,
  calls: readonly Call[],
): Promise<void> {
  let isDone = false;
  const done = work.finally(() => isDone = true);
  while (!isDone) {
    await Promise.race([done, pause(1000)]);
    const latestMs = Date.now() - MAX_CALL_MS;
    const stuck = calls.filter(({ end, startMs }) =>
      end === Infinity && startMs < latestMs
    );
    if (stuck.length > 0) {
      throw new Error(
        `no answer within ${MAX_CALL_MS} ms:
${stuck.slice(0, 10).map(describe).join("\n")}`,
      );
    }
  }
  await done;
}

/** Traces that are kept of each kind of violation in a round. */
const MAX_TRACES = 2;

function judge(
  all: readonly Call[],
  histories: readonly History[],
  prefix: string,
): { findings: Findings; traces: Map<string, string[]> } {
  const findings = noFindings();
  const traces = new Map<string, string[]>();
  for (const history of histories) {
    const { covers = () => true, transactions, lost, isOneClock } = history;
    const calls = all.filter(({ key }) => covers(key));
    const truth: Truth = readTruth(transactions, prefix);
    const found = check(calls, truth, {
      lost: lost.map(({ transactions, ...rest }) => ({
        truth: readTruth(transactions, prefix),
        ...rest,
      })),
      isOneClock,
      ...(history.failovers ? { failovers: history.failovers } : {}),
    });
    findings.violations.push(...found.violations);
    findings.lostInFailover += found.lostInFailover;
    findings.fromLostHistory += found.fromLostHistory;
    for (const violation of found.violations) {
      const ofKind = traces.get(violation.kind) ?? [];
      if (ofKind.length >= MAX_TRACES) continue;
      traces.set(violation.kind, ofKind);
      const states = truth.records.get(violation.key) ?? [];
      const events = truth.queues.get(violation.key) ?? [];
      ofKind.push(trace(violation, calls, states, events));
    }
  }
  return { findings, traces };
}

function unknownOf(
  calls: readonly Call[],
): Pick<RoundResult, "unknown" | "reasons" | "unknownQueues"> {
  const unknown = new Map<string, number>();
  const reasons = new Map<string, number>();
  let unknownQueues = 0;
  for (const { answer, operation } of calls) {
    if (operation === "task") continue;
    if (answer?.is !== "failed" || answer.outcome !== "unknown") continue;
    if (QUEUE_OPERATIONS.has(operation)) unknownQueues++;
    else {
      unknown.set(operation, (unknown.get(operation) ?? 0) + 1);
      const reason = answer.message.replace(/"[^"]*"/g, "…")
        .replace(/\d+/g, "N");
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
  }
  return { unknown, reasons, unknownQueues };
}
