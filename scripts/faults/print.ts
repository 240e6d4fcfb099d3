/** Prints what a run has shown, and judges it. */

import type { FaultCounts } from "./network.ts";
import type { Violation } from "./report.ts";
import type { RoundResult } from "./round.ts";

/** All rounds of one mode. */
export interface RunTotals {
  readonly mode: string;
  readonly counts: FaultCounts;
  readonly rounds: RoundResult[];
}

/** Of 100 faults so many calls may not know what they did. */
const MAX_UNKNOWN_PER_100 = 2;

/** Of 10,000 calls so many may be wrong where nothing can decide. */
const MAX_UNDECIDABLE_PER_10_000 = 1;

/** Violations of each kind that are printed as a trace. */
const MAX_SHOWN = 3;

/** Prints a run; `false` if it has shown something wrong. */
export function printRun({ mode, counts, rounds }: RunTotals): boolean {
  const sum = (of: (round: RoundResult) => number) =>
    rounds.reduce((total, round) => total + of(round), 0);
  const calls = sum((round) => round.calls);
  const seconds = sum((round) => round.seconds);
  const violations = rounds.flatMap((round) => round.findings.violations);
  const strict = violations.filter(({ weak }) => !weak);
  const weak = violations.filter(({ weak }) => weak);
  const unknown = merge(rounds.map((round) => round.unknown));
  const unknowns = [...unknown.values()].reduce((a, b) => a + b, 0);

  console.log(`\n# ${mode}`);
  console.log(
    `operations  ${calls} in ${seconds.toFixed(0)} s: ${
      (calls / seconds).toFixed(0)
    }/s in ${rounds.length} rounds`,
  );
  console.log(`answers     ${list(merge(rounds.map((r) => r.answers)))}`);
  console.log(`faults      ${counts.total}: ${list(new Map(counts.sorted))}`);
  console.log(
    `unknown     ${unknowns}${
      unknowns > 0 ? ` (${list(unknown)})` : ""
    }; of queues, whose answers were lost: ${sum((r) => r.unknownQueues)}`,
  );
  const reasons = [...merge(rounds.map((round) => round.reasons))]
    .toSorted((a, b) => b[1] - a[1]);
  for (const [reason, n] of reasons.slice(0, 6)) {
    console.log(`            ${n}: ${reason.slice(0, 200)}`);
  }
  const lost = sum((round) => round.findings.lostInFailover);
  const old = sum((round) => round.findings.fromLostHistory);
  if (lost > 0 || old > 0) {
    console.log(
      `failover    ${lost} acknowledged writes without replicas lost, ${old} answers out of what was lost`,
    );
  }
  console.log(`violations  ${strict.length}${byKind(strict)}`);
  console.log(
    `undecidable ${weak.length} wrong, by version alone, put, delete of any${
      byKind(weak)
    }`,
  );
  const shown = new Map<string, number>();
  for (const [kind, texts] of rounds.flatMap(({ traces }) => [...traces])) {
    for (const text of texts) {
      const count = (shown.get(kind) ?? 0) + 1;
      shown.set(kind, count);
      if (count <= MAX_SHOWN) console.log(`\n${text}`);
    }
  }

  const tooUnknown =
    unknowns > Math.max(2, counts.total * MAX_UNKNOWN_PER_100 / 100);
  if (tooUnknown) {
    console.log(
      `\n${unknowns} unknown in ${counts.total} faults: expected at most ${MAX_UNKNOWN_PER_100} in 100`,
    );
  }
  const tooWeak =
    weak.length > Math.max(1, calls * MAX_UNDECIDABLE_PER_10_000 / 10_000);
  if (tooWeak) {
    console.log(
      `\n${weak.length} undecidable answers wrong in ${calls} calls: expected at most ${MAX_UNDECIDABLE_PER_10_000} in 10,000`,
    );
  }
  return strict.length === 0 && !tooUnknown && !tooWeak && calls > 0;
}

function merge(
  maps: readonly ReadonlyMap<string, number>[],
): Map<string, number> {
  const all = new Map<string, number>();
  for (const map of maps) {
    for (const [name, n] of map) all.set(name, (all.get(name) ?? 0) + n);
  }
  return all;
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts].toSorted((a, b) => b[1] - a[1])
    .map(([name, n]) => `${name} ${n}`).join(", ");
}

function byKind(violations: readonly Violation[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of violations) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts.size === 0 ? "" : `: ${list(counts)}`;
}
