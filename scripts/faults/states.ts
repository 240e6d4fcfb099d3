/** The truth of a run as the checks read it: states of keys, events of queues. */

/** A lease as the hash holds it. */
export interface LeaseTruth {
  readonly fence: number;
  /** Epoch milliseconds of the server. */
  readonly untilMs: number;
  readonly holder: string;
}

/** A state of one key, from a transaction on. */
export interface State {
  /** Place of the transaction that made it. */
  readonly at: number;
  /** 0: there is no record. */
  readonly version: number;
  /** The operation id of its latest write; of a deletion, of the deletion. */
  readonly id: string;
  readonly token: string;
  readonly active: boolean;
  readonly expiresAt: number | undefined;
  readonly lease: LeaseTruth | undefined;
  /** The fence of the lease, also of one that was released; 0: none. */
  readonly lastFence: number;
  /** Steps by name, `<fence>|<data>`; the very same object while unchanged. */
  readonly steps: ReadonlyMap<string, string>;
  /** Whether it is another record than the state before: written or ended. */
  readonly isWrite: boolean;
}

/** What happened to a queue. */
export interface QueueEvent {
  readonly at: number;
  readonly kind: "push" | "take" | "end";
  readonly messages: readonly string[];
  /** How many messages it holds then. */
  readonly length: number;
}

/** The truth of one order of transactions. */
export interface Truth {
  readonly transactions: number;
  /** By key as the backend has it; the first state is the absence. */
  readonly records: ReadonlyMap<string, readonly State[]>;
  readonly queues: ReadonlyMap<string, readonly QueueEvent[]>;
  /** What is wrong in the file, whatever callers were told. */
  readonly problems: readonly TruthProblem[];
}

/** Something that no order of calls can have made. */
export interface TruthProblem {
  readonly at: number;
  readonly key: string;
  readonly problem: string;
}

/** The token of a write whose text was never stored. */
export const ANY = "*";

export const NO_STEPS: ReadonlyMap<string, string> = new Map();

export const ABSENT: State = {
  at: -1,
  version: 0,
  id: "",
  token: "",
  active: false,
  expiresAt: undefined,
  lease: undefined,
  lastFence: 0,
  steps: NO_STEPS,
  isWrite: false,
};
