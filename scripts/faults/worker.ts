/** What the workers of a run have at hand: keys, a store, chance, names. */

import { makeKey, makePrefix } from "../../src/storage/keys.ts";
import type { TaskStore } from "../../src/task/task_store.ts";
import type { Random } from "./random.ts";
import type { RecordingBackend } from "./recording_backend.ts";

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
