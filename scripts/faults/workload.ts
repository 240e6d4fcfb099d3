/**
 * What the instances of a run do, all at once on the same keys: every write
 * there is, with reads between them.
 */

import type { StorageBackend } from "../../src/storage/backend.ts";
import { TaskStore } from "../../src/task/task_store.ts";
import { leaseActions } from "./actions_leases.ts";
import { queueActions } from "./actions_queues.ts";
import { recordActions } from "./actions_records.ts";
import { taskActions } from "./actions_tasks.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import { RecordingBackend } from "./recording_backend.ts";
import type { Actions, By, KeySpace, Worker } from "./worker.ts";

/** A run's own instance: its backend, and how many workers use it at once. */
export interface Instance {
  readonly backend: StorageBackend;
  readonly durable: boolean;
}

/** Runs the workers of all instances until `isOver`. */
export async function runWorkload(
  { instances, workers, keys, by, recorder, random, isOver }: {
    readonly instances: readonly Instance[];
    readonly workers: number;
    readonly keys: KeySpace;
    readonly by: By;
    readonly recorder: Recorder;
    readonly random: Random;
    readonly isOver: () => boolean;
  },
): Promise<void> {
  const actions: Actions = [
    ...recordActions,
    ...leaseActions,
    ...queueActions,
    ...taskActions,
  ];
  const run = async (instance: Instance, index: number) => {
    const backend = new RecordingBackend(
      instance.backend,
      recorder,
      index,
      instance.durable,
    );
    const worker: Worker = {
      backend,
      store: new TaskStore(backend, {
        limits: { maxTasksPerOwner: 8 },
        maxWriteAttempts: 30,
      }),
      random: random.fork(),
      keys,
      by,
      newName: () => recorder.newName(),
      pause: (ms) =>
        isOver()
          ? Promise.resolve()
          : new Promise((resolve) => setTimeout(resolve, ms)),
    };
    while (!isOver()) {
      // What an action is refused is recorded, and no reason to end.
      await worker.random.weighted(actions)(worker).catch(() => {});
    }
  };
  await Promise.all(
    instances.flatMap((instance, index) =>
      Array.from({ length: workers }, () => run(instance, index))
    ),
  );
}
