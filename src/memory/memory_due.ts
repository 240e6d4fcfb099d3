/** Hints inside one process: the `due` of a `MemoryBackend`. */

import {
  checkDueTime,
  checkForMs,
  checkQueueName,
  checkQueueNames,
  MAX_CLAIM_LIMIT,
  requireInteger,
} from "../storage/checks.ts";
import type {
  DueClaim,
  DueClaims,
  DueStorage,
  OfferOptions,
} from "../storage/due.ts";
import { splitKey } from "../storage/keys.ts";
import { checkListener, type WarningListener } from "../storage/warnings.ts";
import type { Answer } from "./memory_records.ts";
import { SortedIndex } from "./sorted_index.ts";
import { Sweep } from "./sweep.ts";

/** The hints of one queue. */
class HintQueue {
  readonly byTime = new SortedIndex();
  readonly #byExpiry = new SortedIndex();

  /** Removes the hints that are of no more use. */
  expire(now: number): void {
    for (const { member } of this.#byExpiry.takeUpTo(now)) {
      this.byTime.delete(member);
    }
  }

  set(key: string, atMs: number, expiresAt: number): void {
    this.byTime.set(key, atMs);
    if (expiresAt === Infinity) this.#byExpiry.delete(key);
    else this.#byExpiry.set(key, expiresAt);
  }

  delete(key: string): boolean {
    this.#byExpiry.delete(key);
    return this.byTime.delete(key);
  }
}

interface Subscription {
  readonly listener: () => void;
}

/** Every promise of `DueStorage`, in the memory of this process. */
export class MemoryDue implements DueStorage {
  readonly #answer: Answer;
  readonly #queues = new Map<string, HintQueue>();
  readonly #subscriptions = new Map<string, Set<Subscription>>();
  /** Frees queues that no one claims from. */
  readonly #sweep = new Sweep(
    this.#queues,
    (queue, now) => this.#live(queue, now),
  );

  readonly #onWarning: WarningListener;

  constructor(answer: Answer, onWarning: WarningListener) {
    this.#answer = answer;
    this.#onWarning = onWarning;
  }

  offer(
    key: string,
    queue: string,
    atMs: number,
    { expiresAt = Infinity }: OfferOptions = {},
  ): Promise<void> {
    return this.#answer((now) => {
      splitKey(key);
      checkQueueName(queue);
      checkDueTime(key, "atMs", atMs);
      if (expiresAt !== Infinity) checkDueTime(key, "expiresAt", expiresAt);
      const hints = this.#live(queue, now) ?? new HintQueue();
      const earliestMs = hints.byTime.at(0)?.score ?? Infinity;
      hints.set(key, atMs, expiresAt);
      this.#queues.set(queue, hints);
      if (this.#live(queue, now) && atMs < earliestMs) this.#notify(queue);
      this.#sweep.step(now);
    });
  }

  withdraw(key: string, queue: string): Promise<boolean> {
    return this.#answer((now) => {
      splitKey(key);
      checkQueueName(queue);
      const wasThere = this.#live(queue, now)?.delete(key) ?? false;
      this.#live(queue, now);
      return wasThere;
    });
  }

  claim(
    queues: readonly string[],
    limit: number,
    forMs: number,
  ): Promise<DueClaims> {
    return this.#answer((now) => {
      const names = checkQueueNames(queues);
      requireInteger("limit", limit, 1, MAX_CLAIM_LIMIT);
      checkForMs(forMs);
      const claims = names
        .flatMap((queue) => this.#dueIn(queue, limit, now))
        .sort((a, b) => a.atMs - b.atMs)
        .slice(0, limit);
      for (const { key, queue } of claims) {
        this.#queues.get(queue)?.byTime.set(key, now + forMs);
      }
      const nextAtMs = Math.min(
        ...names.map((queue) =>
          this.#queues.get(queue)?.byTime.at(0)?.score ?? Infinity
        ),
      );
      return {
        claims: claims.map(({ key, queue }) => ({ key, queue })),
        ...(nextAtMs === Infinity
          ? {}
          : { nextInMs: Math.max(0, Math.ceil(nextAtMs - now)) }),
      };
    });
  }

  subscribe(
    queues: readonly string[],
    listener: () => void,
  ): Promise<() => Promise<void>> {
    return this.#answer(() => {
      const names = checkQueueNames(queues);
      const subscription = {
        listener: checkListener("due.subscribe", listener, this.#onWarning),
      };
      for (const queue of names) {
        const others = this.#subscriptions.get(queue) ?? new Set();
        this.#subscriptions.set(queue, others.add(subscription));
      }
      return () => {
        for (const queue of names) this.#unsubscribe(queue, subscription);
        return Promise.resolve();
      };
    });
  }

  /** Forgets everything. */
  clear(): void {
    this.#queues.clear();
    this.#subscriptions.clear();
  }

  /** The hints of a queue that still matter; a queue without is forgotten. */
  #live(queue: string, now: number): HintQueue | undefined {
    const hints = this.#queues.get(queue);
    hints?.expire(now);
    if (hints?.byTime.size !== 0) return hints;
    this.#queues.delete(queue);
    return undefined;
  }

  #dueIn(
    queue: string,
    limit: number,
    now: number,
  ): (DueClaim & { atMs: number })[] {
    const due: (DueClaim & { atMs: number })[] = [];
    const hints = this.#live(queue, now);
    for (let rank = 0; rank < limit; rank++) {
      const hint = hints?.byTime.at(rank);
      if (hint === undefined || hint.score > now) break;
      due.push({ key: hint.member, queue, atMs: hint.score });
    }
    return due;
  }

  /** In a task of its own: an offer waits for no listener. */
  #notify(queue: string): void {
    const subscriptions = this.#subscriptions.get(queue);
    for (const subscription of subscriptions ?? []) {
      queueMicrotask(() => {
        if (subscriptions?.has(subscription)) subscription.listener();
      });
    }
  }

  #unsubscribe(queue: string, subscription: Subscription): void {
    const subscriptions = this.#subscriptions.get(queue);
    subscriptions?.delete(subscription);
    if (subscriptions?.size === 0) this.#subscriptions.delete(queue);
  }
}
