/** The places for streams of one process, and of each owner in it. */

/** The number of places. */
export interface SlotLimits {
  /** For all owners together. */
  readonly maxSubscriptions: number;
  /** For each owner. */
  readonly maxSubscriptionsPerOwner: number;
}

/** A place, taken before anything is waited for, so that none is taken twice. */
export interface Slot {
  /** Counts it for its owner; `false` if that owner has no place left. */
  assign(owner: string): boolean;
  /** Frees it; a second call does nothing. */
  release(): void;
}

/** Counts the places taken. */
export class SubscriptionSlots {
  readonly #limits: SlotLimits;
  readonly #ofOwner = new Map<string, number>();
  #taken = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  /** The number of places taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes a place; `undefined` if there is none. */
  take(): Slot | undefined {
    if (this.#taken >= this.#limits.maxSubscriptions) return undefined;
    this.#taken++;
    let held = true;
    let owner: string | undefined;
    return {
      assign: (name) => {
        const taken = this.#ofOwner.get(name) ?? 0;
        if (!held || owner !== undefined) return false;
        if (taken >= this.#limits.maxSubscriptionsPerOwner) return false;
        this.#ofOwner.set(owner = name, taken + 1);
        return true;
      },
      release: () => {
        if (!held) return;
        held = false;
        this.#taken--;
        if (owner === undefined) return;
        const taken = this.#ofOwner.get(owner)! - 1;
        if (taken > 0) this.#ofOwner.set(owner, taken);
        else this.#ofOwner.delete(owner);
      },
    };
  }
}
