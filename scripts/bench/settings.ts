/** What a measuring process is told, and what it answers; both are JSON. */

/** The settings of a measuring process. */
export interface Settings {
  /** The Redis, which belongs to the benchmark alone. */
  readonly url: string;
  /** Calls in flight at once. */
  readonly inflight: number;
  /** Length of a record's data in bytes. */
  readonly bytes: number;
  /** Rounds that are counted. */
  readonly rounds: number;
  /** Calls of an operation in a round. */
  readonly calls: number;
  /** Records that memory is measured with. */
  readonly records: number;
  /** Measures only operations whose name has this in it; `""`: all. */
  readonly only: string;
  /** Leaves out what takes long and the gate does not check. */
  readonly short: boolean;
}

/** What one call of an operation costs. */
export interface Cost {
  /** Median time of a call in microseconds, others in flight beside it. */
  readonly us: number;
  /** Median server time of a call in microseconds. */
  readonly serverUs: number;
  /** Median processor time of the client's process in microseconds. */
  readonly clientUs: number;
  /** Round trips on the wire. */
  readonly roundTrips: number;
  /** Commands the client sends. */
  readonly commands: number;
  /** Commands that scripts run. */
  readonly inside: number;
  /** Time of a call in microseconds, round by round. */
  readonly rounds: readonly number[];
}

/** What a measuring process answers. */
export interface Figures {
  /** Runtime and version, such as `Node 20.20.2`. */
  readonly runtime: string;
  /** Server and version, such as `redis 7.0.15`. */
  readonly server: string;
  readonly settings: Settings;
  /** By the operation's name. */
  readonly costs: Readonly<Record<string, Cost>>;
  /** Bytes of `used_memory` a record takes, by kind of record. */
  readonly memory: Readonly<Record<string, number>>;
  /** Completion to wake-up; full runs only. */
  readonly wakeUp?: WakeUp;
}

/** Medians in microseconds. */
export interface WakeUp {
  /** From the call on one instance to the wake-up of the other. */
  readonly us: number;
  /** The same for the least that could do it. */
  readonly floorUs: number;
  /** Of a PING. */
  readonly pingUs: number;
}
