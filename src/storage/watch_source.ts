/** The messages between the watches of a backend and its engine. */

import type { CloseSignal } from "../util/close_signal.ts";
import type { LeaseState, VersionedRecord } from "./record.ts";

/** A record as an engine reads it for a watch. */
export interface WatchedRecord extends VersionedRecord {
  /** Milliseconds until the record expires; left out: it does not. */
  readonly remainingMs?: number | undefined;
}

/** A record as a write of the same backend object has left it. */
export interface WrittenRecord extends Omit<WatchedRecord, "lease"> {
  /** The lease; `"kept"`: as it was before; left out: there is none. */
  readonly lease?: LeaseState | "kept" | undefined;
}

/**
 * Receives changes of a record: its new version, 0 for its deletion,
 * `undefined` where changes may have been missed.
 */
export type ChangeListener = (version: number | undefined) => void;

/** A subscription to changes. */
export interface Subscription {
  /**
   * Resolves once every later change is reported, and rejects if that is not
   * to be had; left out: it is so from the start.
   */
  readonly ready?: Promise<void> | undefined;
  /** Ends it at once, ready or not; what that takes is done later. */
  end(): void;
}

/** A write under way; see `WatchHub.writing`. */
export interface OwnWrite {
  /**
   * Says what it did: the record it left, `"deleted"`, or nothing where it was
   * refused or failed, or the outcome is unknown. Only the first call counts; without
   * one, the watches of the key wait.
   */
  done(result?: WrittenRecord | "deleted"): void;
}

/** The parts of an engine that its hub needs. */
export interface WatchSource {
  /** Any of them closes the hub; its reason is what the watches then throw. */
  readonly closed: readonly CloseSignal[];
  /** The longest time without a read, in milliseconds. Default: no bound. */
  readonly refreshMs?: number | undefined;
  /**
   * The age, in milliseconds, up to which a watch that joins a feed may begin
   * with the record the feed has. It does so only while the subscription is
   * live and no change is known that the record lacks. Events are in flight
   * for a moment, and there are writers that make none, hence the bound.
   * Default: 0, every watch begins with a read made after it joined.
   */
  readonly reuseMs?: number | undefined;
  /** Reads the live record, if there is one. It may answer synchronously. */
  read(
    key: string,
  ): WatchedRecord | undefined | Promise<WatchedRecord | undefined>;
  /** Subscribes to the changes of a record; left out: see `changed`. */
  subscribe?(key: string, listener: ChangeListener): Subscription;
}
