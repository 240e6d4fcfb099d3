/**
 * The task suite with encryption on, in memory: a sealed store answers as any.
 *
 * @module
 */

import { MemoryBackend, TaskStore } from "../../mod.ts";
import { changeTests } from "./suite/changes.ts";
import { creationTests } from "./suite/creation.ts";
import { type TaskTest, taskTest } from "./suite/env.ts";
import { expiryTests } from "./suite/expiry.ts";
import { leaseTests } from "./suite/leases.ts";
import { listTests } from "./suite/lists.ts";
import { lostWorkerTests } from "./suite/lost_workers.ts";
import { ownerTests } from "./suite/owners.ts";
import { raceTests } from "./suite/races.ts";
import { signalTests } from "./suite/signals.ts";
import { transitionTests } from "./suite/transitions.ts";
import { waitingTests } from "./suite/waiting.ts";

const encryption = {
  keys: [new Uint8Array(32).fill(9)],
  // What the suite plants is not sealed.
  allowUnsealed: true,
};

/** Tests that look into the stored text, or open a store without the key. */
const NEED_PLAIN_TEXT = new Set([
  "create_writes_a_working_task",
  "complete_writes_state_message_and_result_at_once",
  "variables_merge_and_null_deletes_a_name",
  "completion_races_cancellation_a_thousand_times",
  "attempts_are_bounded",
  "change_is_made_again_on_what_others_wrote",
  "renewal_between_a_readers_look_and_its_write_wins",
  "reader_that_takes_a_lease_for_lost_is_corrected",
]);

const register = taskTest({
  name: "memory_sealed_task",
  async use(body, { maxRecordBytes, frozen = false } = {}) {
    const startMs = Date.now();
    let movedMs = 0;
    const clock = () => (frozen ? startMs : Date.now()) + movedMs;
    await using backend = new MemoryBackend(
      maxRecordBytes === undefined ? { clock } : { clock, maxRecordBytes },
    );
    await body({
      open: (options) =>
        Promise.resolve(
          new TaskStore(backend, { clock, encryption, ...options }),
        ),
      elapse: (ms) => Promise.resolve(void (movedMs += ms)),
      now: clock,
      movesTheClock: true,
    });
  },
});

const test: TaskTest = (name, body, options) => {
  if (!NEED_PLAIN_TEXT.has(name)) register(name, body, options);
};

for (
  const tests of [
    creationTests,
    transitionTests,
    changeTests,
    ownerTests,
    listTests,
    expiryTests,
    raceTests,
    leaseTests,
    lostWorkerTests,
    waitingTests,
    signalTests,
  ]
) tests(test);
