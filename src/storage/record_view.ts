/**
 * A backend object's knowledge of a record that is watched, and whether it must
 * read it again.
 *
 * Events, reads and own writes report on the record. They arrive over different
 * connections and so in any order. The events of one channel are in order
 * among themselves; a read or an own write may be ahead of them.
 */

import { isSame, type Observation, observation } from "./observation.ts";
import type { WatchedRecord } from "./watch_source.ts";

/**
 * The time after a read in which an event may arrive that is older than the
 * read, in milliseconds. A deletion reported within this time is checked, a
 * later one is believed.
 */
const LATE_EVENT_MS = 1000;

/** A look for the record: a read, an own write, or what another call found. */
export interface Look {
  /** When it began. */
  readonly at: number;
  /** The record as it was known then. */
  readonly before: Observation | undefined;
  /** The number of the record's life then. */
  readonly life: number;
  /** Whether it was begun by {@linkcode RecordView.read}. */
  readonly isRead: boolean;
  /** Whether the life has ended unless the look finds the same record. */
  readonly isSuspect: boolean;
}

/** See the module. */
export class RecordView {
  /** The record as last found, in its present life. */
  current: Observation | undefined;
  /** Counts the lives of the record that have ended. */
  life = 0;
  /** Whether a read is needed, whatever the versions say. */
  isStale = true;
  /** The highest version an event reported since the last read began. */
  #wanted = 0;
  #isSuspect = false;
  /** The place in the order of events; 0 before the first of a life. */
  #eventVersion = 0;
  /** Whether an event said so; else it is taken from a read. */
  #isEventVersionSure = false;

  /** The version that is known; 0 for none. */
  get version(): number {
    return this.current?.record.version ?? 0;
  }

  /** Whether all that is known to have happened is known in full. */
  get isUpToDate(): boolean {
    return !this.isStale && !this.isAwaited;
  }

  /** Whether an event has reported a version that no read has found yet. */
  get isAwaited(): boolean {
    return this.#wanted > this.version;
  }

  /** Begins a read: it will answer every event so far. */
  read(): Look {
    const { current: before, life } = this;
    const isSuspect = this.#isSuspect;
    this.isStale = false;
    this.#isSuspect = false;
    this.#wanted = 0;
    return { at: performance.now(), before, life, isRead: true, isSuspect };
  }

  /** Begins another look. */
  look(at: number = performance.now()): Look {
    const { current: before, life } = this;
    return { at, before, life, isRead: false, isSuspect: false };
  }

  /**
   * Takes a record that a look has found.
   *
   * @returns Whether it is of a new life: the one before has ended.
   */
  found(record: WatchedRecord, look: Look): boolean {
    const { current } = this;
    const found = observation(record, look.at);
    let isNewLife = false;
    if (current && isSame(record, current.record)) {
      const { firstFoundAt } = current;
      const lookedAt = Math.max(current.lookedAt, look.at);
      Object.assign(current, found, { firstFoundAt, lookedAt });
    } else {
      const isNewer = record.version > this.version;
      if (!isNewer && current !== look.before) {
        // Older than what is known, or of a new life: a read decides.
        this.isStale = true;
        return false;
      }
      isNewLife = current !== undefined && (!isNewer || look.isSuspect);
      if (isNewLife) {
        this.end();
        // Unless an event reported the new life, its events are still to come.
        if (!look.isSuspect) this.#isEventVersionSure = false;
      }
      this.current = found;
    }
    if (look.isRead && !this.#isEventVersionSure) {
      this.#eventVersion = record.version;
    }
    return isNewLife;
  }

  /** Ends the life of the record. */
  end(): void {
    this.life++;
    this.current = undefined;
    this.#isSuspect = false;
  }

  /**
   * Takes the event of a write.
   *
   * @param version The version it made, from 1.
   */
  written(version: number): void {
    // Versions rise within a life. One that does not is of a new life, or it
    // is older than the read that the place in the order was taken from.
    if (version <= this.#eventVersion) {
      this.isStale = true;
      this.#isSuspect ||= this.#isEventVersionSure || !this.#mayBeLate;
    } else if (version > this.version) {
      this.#wanted = Math.max(this.#wanted, version);
    }
    this.#eventVersion = version;
    this.#isEventVersionSure = true;
  }

  /**
   * Takes the event of a deletion.
   *
   * @returns Whether the life has ended; if not, a read decides.
   */
  deleted(): boolean {
    const isCaughtUp = this.#isEventVersionSure &&
      this.#eventVersion === this.version;
    this.isStale = true;
    this.#eventVersion = 0;
    this.#isEventVersionSure = true;
    if (!isCaughtUp && this.#mayBeLate) {
      this.#isSuspect = true;
      return false;
    }
    this.#wanted = 0;
    this.end();
    return true;
  }

  /** Whether an event may be older than what is known. */
  get #mayBeLate(): boolean {
    return this.current !== undefined &&
      performance.now() - this.current.firstFoundAt < LATE_EVENT_MS;
  }
}
