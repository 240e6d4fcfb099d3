/** Prints what a run has measured, as tables. */

import { FLOOR } from "./floors.ts";
import type { GoalResult } from "./goals.ts";
import { MEMORY } from "./memory.ts";
import type { Figures } from "./settings.ts";

/** Prints the costs of all operations, memory and wake-up. */
export function printFigures(figures: Figures): void {
  const { runtime, server, settings, costs, memory, wakeUp } = figures;
  const { inflight, bytes, rounds, calls } = settings;
  console.log(
    `\n${runtime}, ${server}: ${inflight} in flight, ${bytes} bytes, ${rounds} rounds of ${calls} calls\n`,
  );
  const unit = costs[FLOOR.write]!.serverUs;
  table(
    ["", "us", "client us", "server us", "x HSET", "trips", "sent", "inside"],
    Object.entries(costs).map(([name, cost]) => [
      name,
      cost.us.toFixed(2),
      cost.clientUs.toFixed(2),
      cost.serverUs.toFixed(2),
      (cost.serverUs / unit).toFixed(2),
      `${cost.roundTrips}`,
      `${cost.commands}`,
      `${cost.inside}`,
    ]),
  );
  console.log();
  table(
    ["memory of a record", "bytes", "x bare"],
    Object.entries(memory).map(([kind, size]) => [
      kind,
      size.toFixed(0),
      (size / memory[MEMORY.bare]!).toFixed(2),
    ]),
  );
  if (wakeUp) {
    const [us, floor, ping] = [wakeUp.us, wakeUp.floorUs, wakeUp.pingUs]
      .map((time) => time.toFixed(0));
    console.log(
      `\ncompletion to wake-up: ${us} us; script, event and read on bare node-redis: ${floor} us; PING: ${ping} us`,
    );
  }
}

/** Prints the goals, the missed ones marked. */
export function printGoals(goals: readonly GoalResult[]): void {
  console.log();
  table(
    ["goal", "measured", "", "wanted", "", ""],
    goals.map(({ name, value, bound, goal, unit, reached }) => [
      name,
      value.toFixed(2),
      bound,
      goal.toFixed(2),
      unit,
      reached ? "reached" : "MISSED",
    ]),
  );
  const reached = goals.filter((goal) => goal.reached).length;
  console.log(`\n${reached} of ${goals.length} goals reached`);
}

function table(head: string[], rows: string[][]): void {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length))
  );
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, column) =>
      /^[\d.]+$/.test(cell) || row === head && column > 0
        ? cell.padStart(widths[column]!)
        : cell.padEnd(widths[column]!)
    );
    console.log(`  ${cells.join("  ")}`.trimEnd());
  }
}
