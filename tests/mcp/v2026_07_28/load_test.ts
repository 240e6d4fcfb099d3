/**
 * A small part of the loads that `deno task load` runs in full.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MemoryBackend } from "../../../mod.ts";
import { runListenLoad } from "./listen_load.ts";
import { runRequestLoad } from "./request_load.ts";

Deno.test("100 streams on 20 tasks, 10 of them not reading: in time, and for few bytes (E3)", async () => {
  await using backend = new MemoryBackend();
  const report = await runListenLoad(backend, {
    owners: 4,
    tasks: 20,
    streams: 100,
    stuckEvery: 10,
    changes: 20,
    roundMs: 40,
    stateLength: 50_000,
  });
  assertEquals(report.incomplete, 0);
  // A machine that has other work makes late what it stops.
  const { maxLateMs, maxStallMs } = report;
  assert(maxLateMs < 1000 + 3 * maxStallMs, `${maxLateMs} ms late`);
  assertEquals(report.unsentBytes, 10 * 20 * 50_000 * 5);
  // Each task has a state of 50 KB, held a few times over, however many listen.
  const grown = report.peakBytes - report.openBytes;
  assert(grown < 20_000_000, `${grown} bytes more`);
});

Deno.test("2,000 random and malformed requests: no rejection unhandled, no failure untold", async () => {
  const { statuses, untold, unhandled, bytes } = await runRequestLoad({
    requests: 2000,
    seed: 7,
  });
  assertEquals(untold, []);
  assertEquals(unhandled, []);
  assertEquals(statuses[500], undefined);
  const [early = 0, late = 0] = [bytes[1], bytes.at(-1)];
  assert(late - early < 10_000_000, `${late - early} bytes more`);
  // It is no test of refusals alone.
  assert(statuses[200]! > 500, JSON.stringify(statuses));
});
