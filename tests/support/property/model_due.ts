/**
 * The contract of hints as a plain list.
 *
 * @module
 */

import { byBytes } from "./by_bytes.ts";
import type { DueClaims, DueStorage, OfferOptions } from "../../../mod.ts";

interface ModelHint {
  readonly key: string;
  readonly queue: string;
  atMs: number;
  readonly expiresAt: number;
}

/** Answers operations on hints as any backend must. */
export class ModelDue implements DueStorage {
  readonly #clock: () => number;
  #all: ModelHint[] = [];

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  async offer(
    key: string,
    queue: string,
    atMs: number,
    { expiresAt = Infinity }: OfferOptions = {},
  ): Promise<void> {
    await this.withdraw(key, queue);
    this.#all.push({ key, queue, atMs, expiresAt });
  }

  // deno-lint-ignore require-await
  async withdraw(key: string, queue: string): Promise<boolean> {
    const live = this.#live();
    this.#all = live.filter((hint) => hint.key !== key || hint.queue !== queue);
    return this.#all.length < live.length;
  }

  // deno-lint-ignore require-await
  async claim(
    queues: readonly string[],
    limit: number,
    forMs: number,
  ): Promise<DueClaims> {
    const now = this.#clock();
    const wanted = this.#live()
      .filter(({ queue }) => queues.includes(queue))
      .sort((a, b) =>
        a.atMs - b.atMs ||
        queues.indexOf(a.queue) - queues.indexOf(b.queue) ||
        byBytes(a.key, b.key)
      );
    const due = wanted.filter(({ atMs }) => atMs <= now).slice(0, limit);
    for (const hint of due) hint.atMs = now + forMs;
    const nextAtMs = Math.min(...wanted.map(({ atMs }) => atMs));
    const claims = due.map(({ key, queue }) => ({ key, queue }));
    return wanted.length === 0
      ? { claims }
      : { claims, nextInMs: Math.max(0, nextAtMs - now) };
  }

  subscribe(): Promise<() => Promise<void>> {
    throw new Error("no sequence subscribes");
  }

  #live(): ModelHint[] {
    return this.#all = this.#all
      .filter(({ expiresAt }) => expiresAt > this.#clock());
  }
}
