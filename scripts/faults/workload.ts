/**
 * What the instances of a run do, all at once on the same keys: every write
 * there is, with reads between them.
 */

import { makeKey, makePrefix } from "../../src/storage/keys.ts";
import type { StorageBackend } from "../../src/storage/backend.ts";
import { TaskStore } from "../../src/task/task_store.ts";
import { leaseActions } from "./actions_leases.ts";
import { queueActions } from "./actions_queues.ts";
import { recordActions } from "./actions_records.ts";
import { taskActions } from "./actions_tasks.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import { RecordingBackend } from "./recording_backend.ts";

/** How writes name the record they expect. */
export type By = "etag" | "version" | "both";

/** Keys of one owner, with what bounds them. */
export interface OwnerKeys {
  readonly owner: string;
  readonly prefix: string;
  readonly keys: readonly string[];
  readonly quotas: {
    readonly maxRecords?: number;
    readonly maxActive?: number;
  };
}

/** The keys of a run, by what is done with them. */
export interface KeySpace {
  readonly records: readonly OwnerKeys[];
  readonly tasks: readonly OwnerKeys[];
  readonly queues: readonly OwnerKeys[];
}

/** Keys an owner has, at most. */
const KEYS_PER_OWNER = 10;

/** Shares of the keys: 60 % records, 30 % tasks, 10 % queues. */
export function keySpace(count: number): KeySpace {
  const owners = (name: string, share: number): OwnerKeys[] =>
    Array.from(
      { length: Math.max(1, Math.round(count * share / KEYS_PER_OWNER)) },
      (_, n) => {
        const owner = `${name}${n}`;
        return {
          owner,
          prefix: makePrefix(owner),
          keys: Array.from(
            { length: KEYS_PER_OWNER },
            (_, i) => makeKey(owner, `k${i}`),
          ),
          // Of every three owners one is often at its quotas.
          quotas: n % 3 === 0 ? { maxRecords: 6, maxActive: 3 } : {},
        };
      },
    );
  return {
    records: owners("r", 0.6),
    tasks: owners("t", 0.3),
    queues: owners("q", 0.1),
  };
}

/** What a worker has at hand for its actions. */
export interface Worker {
  readonly backend: RecordingBackend;
  readonly store: TaskStore;
  readonly random: Random;
  readonly keys: KeySpace;
  readonly by: By;
  /** A name no other write has. */
  newName(): string;
  /** Ends what waits between two calls when the run ends. */
  pause(ms: number): Promise<void>;
}

/** A call or a few, one after the other; its errors are answers. */
export type Action = (worker: Worker) => Promise<unknown>;

/** Weights of the actions. */
export type Actions = readonly (readonly [weight: number, action: Action])[];

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
